#include <flotilla/http/transfer.hpp>

#include <flotilla/aio/scope.hpp>

namespace flotilla::http {

task<Result<Response>> read_response(Context& context, ClientExchange& exchange, Method asked, std::size_t bytes_max) {
    Response response;
    const auto size = exchange.response_body_size();
    if (size.framing == BodySize::Framing::known && asked != Method::head) {
        if (size.bytes > bytes_max) co_return Error(Kind::too_large, "the response is too large");
        response.body.reserve(static_cast<std::size_t>(size.bytes));
    }
    while (true) {
        auto piece = co_await exchange.read(context);
        if (!piece) co_return std::move(piece.error());
        if (piece->empty()) break;
        if (piece->size() > bytes_max - response.body.size()) {
            co_return Error(Kind::too_large, "the response is too large");
        }
        response.body.append(*piece);
    }
    response.head = exchange.take_head();
    co_return response;
}

namespace {

/// A source that gave more or less than it announced has reset the exchange.
void note_misuse(const Result<void>& written, std::optional<Error>& failed) {
    if (!written && written.error().kind() == Kind::internal) failed = written.error();
}

/// Sends a body beside whoever receives; `failed` gets the source's error.
task<void> send_body(Context& context, BodySource& from, ClientExchange& to, std::optional<Error>& failed) {
    while (true) {
        auto piece = co_await from.read(context);
        if (!piece) {
            // The answer has come, or nobody waits for one; but a source that let the deadline pass says so.
            const bool late = context.cancelled() && context.reason().kind() == Kind::deadline_exceeded;
            if (context.cancelled() && (!late || piece.error().code() == context.reason().code())) co_return;
            failed = std::move(piece.error());
            to.reset();
            context.cancel(*failed);
            co_return;
        }
        if (piece->empty()) break;
        // A server that takes no more may have answered already; whoever receives finds out.
        if (auto written = co_await to.write(context, *piece); !written) co_return note_misuse(written, failed);
    }
    note_misuse(co_await to.finish(context, {}), failed);
}

} // namespace

task<Result<Response>> exchange_streamed(Context& context, ClientExchange& exchange, const RequestHead& head,
                                         BodySource& body, std::size_t bytes_max,
                                         std::function<void(const ResponseHead&)> answered) {
    co_await must(exchange.send(context, head, body.size()));
    std::optional<Error> failed;
    auto response = co_await scoped(context, [&](Scope& scope) -> task<Result<Response>> {
        scope.spawn(send_body(scope.context(), body, exchange, failed));
        auto received = co_await exchange.receive(scope.context());
        if (!received) co_return std::move(received.error());
        if (answered) answered(**received);
        auto whole = co_await read_response(scope.context(), exchange, head.method, bytes_max);
        // Who has answered reads no more (RFC 9110 §7.5).
        scope.cancel(Error(Kind::cancelled, "the response is complete"));
        co_return whole;
    });
    if (failed) co_return std::move(*failed);
    if (!response && context.cancelled()) co_return context.reason();
    co_return response;
}

} // namespace flotilla::http
