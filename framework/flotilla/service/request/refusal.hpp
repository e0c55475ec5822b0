#pragma once

#include <flotilla/http/exchange.hpp>
#include <flotilla/observe/log.hpp>
#include <flotilla/service/request/routes.hpp>

namespace flotilla {

/// Answers a request that failed, whatever failed in it, with problem+json; internal errors are logged and tell
/// nothing. Where an answer has begun, or the caller has gone, the connection ends instead. Returns the status: 499
/// when the caller did not get it. `failure` becomes what went wrong, unless it has a log line of its own.
task<int> refuse(Context& context, http::Exchange& exchange, const Routes& routes, const MatchedRoute& matched,
                 Error error, const Logger& log, std::optional<Error>& failure);

/// Answers OPTIONS about a path, or about the server ("*"). Returns the status.
task<int> answer_options(Context& context, http::Exchange& exchange, std::string allow);

} // namespace flotilla
