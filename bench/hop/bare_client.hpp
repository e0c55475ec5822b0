#pragma once

#include <string>
#include <vector>

#include <flotilla/http/client.hpp>

namespace flotilla::bench {

/// What is measured beside the client stack: a pooled client that takes a service's addresses in turn. It knows no
/// state of them. Thread-safety: none; one loop.
class BareClient {
public:
    /// tries: of each call, at once and whatever has failed: with more than one the naive retry. try_timeout: of each.
    BareClient(World& world, int tries, Duration try_timeout = Duration::max())
        : client_(world), tries_(tries), try_timeout_(try_timeout), next_(world.random()) {}

    /// GET of a path. Errors: the last try's: unavailable `no_address`, `failed` with a status that is not 2xx, those
    /// of http::Client.
    task<Result<void>> get(Context& context, std::vector<Address> addresses, std::string path);

private:
    task<Result<void>> try_once(Context& context, Address address, std::string path);

    http::Client client_;
    int tries_;
    Duration try_timeout_;
    std::uint64_t next_;
};

} // namespace flotilla::bench
