#pragma once

#include <optional>
#include <string>
#include <vector>

#include <flotilla/http/exchange.hpp>
#include <flotilla/http/router.hpp>

#include "hub/handled.hpp"
#include "hub/smtp/mail_store.hpp"

namespace flotilla::hub {

/// One thing the hub serves.
struct ServedProtocol {
    std::string name;     ///< "redis"
    std::string address;  ///< "127.0.0.1:6380"
    std::string provides; ///< "events: streams with groups, pub/sub"
};

/// The answer of `GET /`.
struct HubDescription {
    std::string service;
    std::vector<ServedProtocol> protocols;
};

/// What the console and people with curl read:
///   GET    /                     what the hub serves
///   GET    /mail/messages            caught mails, newest last; ?to=ADDRESS, ?limit=1..1000 (100 by default),
///                                    ?before=ID: only those that came before that one
///   GET    /mail/messages/{id}       one mail with headers and text, in UTF-8
///   GET    /mail/messages/{id}/raw   its bytes as they came (message/rfc822)
///   DELETE /mail/messages            empties the mail catcher: {"deleted": 3}
/// Errors are problem+json. Thread-safety: none; belongs to its loop.
class ConsoleApi {
public:
    ConsoleApi(MailStore& mails, HubDescription description);

    /// nullopt: the path is none of the above, and nothing was answered.
    task<std::optional<Handled>> handle(Context& context, http::Exchange& exchange);

private:
    task<int> list(Context& context, http::Exchange& exchange);
    task<int> show(Context& context, http::Exchange& exchange, std::string id);
    task<int> raw(Context& context, http::Exchange& exchange, std::string id);
    task<int> clear(Context& context, http::Exchange& exchange);

    MailStore& mails_;
    std::string description_json_;
    http::Router router_;
};

/// Answers with JSON; gives the status. A peer that has gone meanwhile is nobody's error.
task<int> respond_json(Context& context, http::Exchange& exchange, int status, std::string body);
task<int> respond_problem(Context& context, http::Exchange& exchange, Error error, std::string allow = {});

} // namespace flotilla::hub
