#pragma once

#include <flotilla/aio/context.hpp>
#include <flotilla/discovery/dns/dns_message.hpp>

namespace flotilla::dns {

/// Asks recursive DNS servers over TCP (RFC 7766), one connection per round of questions: streams are what a World has,
/// answers are never cut, and no library blocks or brings a loop of its own. Thread-safety: none.
class Resolver {
public:
    /// Requires: there is a server.
    Resolver(World& world, std::vector<Address> servers) : world_(world), servers_(std::move(servers)) {}

    /// The answers to several questions, in order, of the first server that gives all of them, within 2 s each.
    /// Errors: unavailable with what the last server said: only "there is such a name" and "there is none" are answers.
    task<Result<std::vector<Answer>>> ask(Context& context, std::vector<Question> questions);

private:
    task<Result<std::vector<Answer>>> ask_one(Context& context, const Address& server,
                                              const std::vector<Question>& questions);

    World& world_;
    std::vector<Address> servers_;
};

/// What a resolv.conf says (resolv.conf(5)).
struct SystemResolver {
    std::vector<Address> servers;
    std::vector<std::string> search; ///< domains to append to a name, in order
    int ndots = 1;                   ///< a name with at least so many dots is tried as it is first
};
/// Unknown lines and options are left out, as by others who read it. No server: 127.0.0.1.
SystemResolver parse_resolv_conf(std::string_view text);

} // namespace flotilla::dns
