#include "bench/hop/bare_client.hpp"

namespace flotilla::bench {

task<Result<void>> BareClient::get(Context& context, std::vector<Address> addresses, std::string path) {
    if (addresses.empty()) co_return Error(Kind::unavailable, "no_address", "no address is known");
    Result<void> outcome;
    for (int i = 0; i < tries_ && !context.cancelled(); ++i) {
        Context own(context, try_timeout_);
        outcome = co_await try_once(own, addresses[next_++ % addresses.size()], path);
        if (outcome) break;
    }
    co_return outcome;
}

task<Result<void>> BareClient::try_once(Context& context, Address address, std::string path) {
    http::Request request;
    request.head.method = Method::get;
    request.head.authority = address.to_string();
    request.head.target = std::move(path);
    const auto response = co_await must(client_.fetch(context, std::move(address), std::move(request)));
    if (response.status() < 200 || response.status() >= 300)
        co_return Error(Kind::bad_gateway, "failed", "status " + std::to_string(response.status()));
    co_return Result<void>();
}

} // namespace flotilla::bench
