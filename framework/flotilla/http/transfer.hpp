#pragma once

#include <flotilla/http/body_source.hpp>
#include <flotilla/http/exchange.hpp>

namespace flotilla::http {

/// Reads the whole body of an answer whose head was received. asked: the request's method. Errors: as
/// ClientExchange::read(); too_large beyond bytes_max.
task<Result<Response>> read_response(Context& context, ClientExchange& exchange, Method asked, std::size_t bytes_max);

/// Sends a request whose body is sent while it is made: at most one piece is in memory. Beside it reads the whole
/// answer; one that comes early ends the sending. answered: called when its head has come, if given.
/// Errors: as ClientExchange's; too_large; the source's, or that it gave more or less than it announced (internal).
task<Result<Response>> exchange_streamed(Context& context, ClientExchange& exchange, const RequestHead& head,
                                         BodySource& body, std::size_t bytes_max,
                                         std::function<void(const ResponseHead&)> answered = {});

} // namespace flotilla::http
