#include "gateway/core/proxy.hpp"

#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/time_spent.hpp>
#include <flotilla/http/event_stream.hpp>

#include "gateway/core/upstream_error.hpp"

namespace flotilla::gateway {
namespace {

constexpr std::size_t kSpareHeadsMax = 256;

/// A client that does not take its answer is nobody to answer.
Error client_gone(const Error& error) {
    if (error.code() == "client_too_slow") return Error(Kind::cancelled, "client_too_slow", error.message());
    return Error(Kind::cancelled, "client_gone", "the client has gone: " + error.message());
}

bool is_clients_delay(const Error& error) { return error.code() == "request_timeout"; }

/// Why a request's body did not come. A client that let a time pass is told so, whoever set it; what it sent wrongly is
/// answered, too.
Error upload_error(const Context& context, Error error) {
    if (is_clients_delay(error)) return error;
    if (context.cancelled()) return context.reason();
    return error.kind() == Kind::unavailable ? client_gone(error) : std::move(error);
}

Result<void> fill_target(const http::RequestHead& request, std::string_view path, const ProxyAction& action,
                         std::string& target) {
    target.clear();
    if (action.rewrite) {
        if (auto expanded = action.rewrite->expand_to(target, path); !expanded) return expanded;
    } else {
        target = path;
    }
    const auto query = request.query();
    if (query.data() == nullptr) return {};
    target += action.rewrite && action.rewrite->has_query() ? '&' : '?';
    target += query;
    return {};
}

task<Result<std::string_view>> read_small_body(Context& context, http::Exchange& exchange, std::uint64_t size,
                                               std::string& buffer) {
    auto piece = co_await exchange.read(context);
    // Usually the body came with the head and needs no copy: the piece stays valid, as nothing more is read.
    if (piece && piece->size() == size) co_return *piece;
    while (piece && !piece->empty()) {
        buffer.append(*piece);
        piece = co_await exchange.read(context);
    }
    if (!piece) co_return upload_error(context, std::move(piece.error()));
    co_return std::string_view(buffer);
}

/// The begin of a body that is streamed. Who announces a size sends kBufferedBytesMax of it before an upstream hears of
/// the request; who sends in chunks may be holding a conversation, so anything at all is enough.
task<Result<std::string_view>> read_begin(Context& context, http::Exchange& exchange, std::string& buffer) {
    const bool known = exchange.request_body_size().framing == http::BodySize::Framing::known;
    auto piece = co_await exchange.read(context);
    while (piece && !piece->empty()) {
        const bool enough = !known || buffer.size() + piece->size() >= kBufferedBytesMax;
        if (enough && buffer.empty()) co_return *piece; // stays valid: nothing more is read before it was sent
        buffer.append(*piece);
        if (enough) break;
        piece = co_await exchange.read(context);
    }
    if (!piece) co_return upload_error(context, std::move(piece.error()));
    co_return std::string_view(buffer);
}

bool is_event_stream(const http::ResponseHead& answer) {
    const auto type = answer.headers.get("content-type");
    return type && http::is_event_stream(*type);
}

/// What is sent twice has the effect of once.
bool is_repeatable(const http::RequestHead& request) {
    return is_idempotent(request.method) || request.headers.has("idempotency-key");
}

} // namespace

class Proxy::BorrowedHeads {
public:
    explicit BorrowedHeads(Proxy& proxy) : proxy_(proxy) {
        if (proxy.spare_heads_.empty()) {
            heads_ = std::make_unique<Heads>();
        } else {
            heads_ = std::move(proxy.spare_heads_.back());
            proxy.spare_heads_.pop_back();
        }
    }
    BorrowedHeads(const BorrowedHeads&) = delete;
    BorrowedHeads& operator=(const BorrowedHeads&) = delete;
    ~BorrowedHeads() {
        if (proxy_.spare_heads_.size() < kSpareHeadsMax) proxy_.spare_heads_.push_back(std::move(heads_));
    }
    Heads& operator*() { return *heads_; }
    Heads* operator->() { return heads_.get(); }

private:
    Proxy& proxy_;
    std::unique_ptr<Heads> heads_;
};

task<Result<int>> Proxy::forward(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                 const ProxyAction& action) {
    BorrowedHeads heads(*this);
    co_await must(fill_target(exchange.request(), facts.path, action, heads->request.target));
    heads->request.authority = action.service;
    fill_upstream_head(context, exchange, facts, heads->request);

    const auto size = exchange.request_body_size();
    const bool small = size.framing == http::BodySize::Framing::none ||
                       (size.framing == http::BodySize::Framing::known && size.bytes <= kBufferedBytesMax);
    if (small) co_return co_await forward_whole(context, exchange, facts, action, *heads);
    co_return co_await forward_streamed(context, exchange, facts, action, *heads);
}

task<Result<int>> Proxy::forward_whole(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                       const ProxyAction& action, Heads& heads) {
    std::string buffer;
    std::string_view body;
    if (const auto size = exchange.request_body_size(); size.bytes > 0) {
        body = co_await must(read_small_body(context, exchange, size.bytes, buffer));
    }
    const bool repeatable = is_repeatable(heads.request);
    auto& target = targets_.of(action.service);
    TargetCall call(targets_, target, context,
                    {.repeatable = repeatable,
                     .options = &target.options_of(heads.request.method, action.pattern),
                     .time = TimeSpent::On::upstream});
    while (true) {
        auto answer = co_await call.send(heads.request, body);
        if (!answer) co_return upstream_error(context, target.service(), call, answer.error());
        const int status = (*answer)->status;
        auto relayed = co_await relay(context, exchange, call.exchange(), **answer, facts.id, heads.response);
        // A short answer that was cut before any of it went out can still be asked for again.
        const bool again =
            relayed.failed == Failed::upstream && call.failed(*relayed.error, repeatable && !exchange.responded());
        if (!again) co_return finished(context, exchange, target.service(), call, std::move(relayed), status);
    }
}

task<Result<int>> Proxy::forward_streamed(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                          const ProxyAction& action, Heads& heads) {
    std::string buffer;
    const auto begun = co_await must(read_begin(context, exchange, buffer));
    auto& target = targets_.of(action.service);
    TargetCall call(targets_, target, context, {.upload = true, .time = TimeSpent::On::upstream});
    while (true) {
        auto connected = co_await call.connect(heads.request);
        if (!connected) co_return upstream_error(context, target.service(), call, connected.error());
        call.begin(heads.request);
        const auto sent = co_await call.exchange().send(context, heads.request, exchange.request_body_size());
        if (sent) {
            auto relayed = co_await relay_during_upload(context, exchange, facts, call, heads, begun);
            // What has gone of the body is not there to be sent again.
            if (relayed.failed == Failed::upstream) call.failed(*relayed.error, false);
            const int status = relayed.status;
            co_return finished(context, exchange, target.service(), call, std::move(relayed), status);
        }
        // What was read of the body was not sent, so the request goes elsewhere.
        if (!call.failed(sent.error(), true))
            co_return upstream_error(context, target.service(), call, *call.last_failure());
    }
}

task<Proxy::Relayed> Proxy::relay_during_upload(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                                TargetCall& call, Heads& heads, std::string_view begun) {
    Upload sending{.begun = begun, .client_error = {}};
    auto relayed = co_await scoped(context, [&](Scope& scope) -> task<Relayed> {
        scope.spawn(upload(scope.context(), exchange, call.exchange(), sending));
        auto received = co_await call.exchange().receive(scope.context());
        Relayed outcome;
        if (received) {
            const int status = (*received)->status;
            call.answered(**received);
            outcome = co_await relay(scope.context(), exchange, call.exchange(), **received, facts.id, heads.response);
            outcome.status = status;
        } else {
            outcome = {Failed::upstream, std::move(received.error())};
        }
        // Who has answered reads no more (RFC 9110 §7.5): the rest of the upload would only keep the client waiting.
        scope.cancel(Error(Kind::cancelled, "the response is complete"));
        co_return outcome;
    });
    if (sending.client_error) {
        relayed.failed = Failed::client;
        relayed.error = std::move(sending.client_error);
    }
    co_return relayed;
}

task<void> Proxy::upload(Context& context, http::Exchange& from, http::ClientExchange& to, Upload& upload) {
    if (!co_await to.write(context, upload.begun)) co_return; // as below
    while (true) {
        auto piece = co_await from.read(context);
        if (!piece) {
            if (context.cancelled() && !is_clients_delay(piece.error())) co_return;
            upload.client_error = upload_error(context, std::move(piece.error()));
            context.cancel(*upload.client_error); // an upstream cannot make sense of half a request
            co_return;
        }
        if (piece->empty()) break;
        // An upstream that takes no more may have answered already; whoever receives finds out.
        if (auto written = co_await to.write(context, *piece); !written) co_return;
    }
    http::Headers trailers;
    copy_trailers(from.request_trailers(), from.request().headers, trailers);
    auto finished = co_await to.finish(context, trailers);
    if (!finished) co_return; // as above
}

task<Proxy::Relayed> Proxy::relay(Context& context, http::Exchange& exchange, http::ClientExchange& from,
                                  const http::ResponseHead& answer, std::string_view request_id,
                                  http::ResponseHead& head) {
    fill_client_head(answer, request_id, head);
    const auto size = from.response_body_size();
    if (size.framing == http::BodySize::Framing::none) {
        auto sent = co_await exchange.respond(context, head, {});
        if (!sent) co_return Relayed{Failed::client, client_gone(sent.error())};
        co_return Relayed{};
    }
    std::string_view piece;
    if (size.framing == http::BodySize::Framing::known && size.bytes <= kBufferedBytesMax &&
        exchange.request().method != Method::head) {
        // A short body mostly came with its head: then one write sends both.
        TimeSpent::Interval waiting(context, TimeSpent::On::upstream_body);
        auto first = co_await from.read(context);
        waiting.end();
        if (!first) co_return Relayed{Failed::upstream, std::move(first.error())};
        if (first->size() == size.bytes) {
            auto sent = co_await exchange.respond(context, head, *first);
            if (!sent) co_return Relayed{Failed::client, client_gone(sent.error())};
            auto end = co_await from.read(context);
            if (!end) co_return Relayed{Failed::upstream, std::move(end.error())};
            co_return Relayed{};
        }
        piece = *first;
    }
    auto sent = co_await exchange.send(context, head, size);
    if (!sent) co_return Relayed{Failed::client, client_gone(sent.error())};
    if (size.framing == http::BodySize::Framing::unknown && is_event_stream(answer))
        co_return co_await relay_events(context, exchange, from, answer);
    co_return co_await relay_body(context, exchange, from, answer, piece);
}

/// Its client comes back with the id of the last event that was whole, so the gateway may end it anywhere.
task<Proxy::Relayed> Proxy::relay_events(Context& context, http::Exchange& exchange, http::ClientExchange& from,
                                         const http::ResponseHead& upstream_head) {
    LastingAnswers::Answer stream(lasting_, context);
    auto relayed = co_await relay_body(stream.context(), exchange, from, upstream_head, {});
    if (relayed.failed != Failed::upstream || !stream.is_over()) co_return relayed;
    auto ended = co_await exchange.finish(context);
    if (!ended) co_return Relayed{Failed::client, client_gone(ended.error())};
    co_return Relayed{};
}

task<Proxy::Relayed> Proxy::relay_body(Context& context, http::Exchange& exchange, http::ClientExchange& from,
                                       const http::ResponseHead& upstream_head, std::string_view piece) {
    while (true) {
        if (piece.empty()) {
            TimeSpent::Interval waiting(context, TimeSpent::On::upstream_body);
            auto next = co_await from.read(context);
            waiting.end();
            if (!next) co_return Relayed{Failed::upstream, std::move(next.error())};
            if (next->empty()) break;
            piece = *next;
        }
        auto written = co_await exchange.write(context, piece);
        if (!written) co_return Relayed{Failed::client, client_gone(written.error())};
        piece = {};
    }
    http::Headers trailers;
    copy_trailers(from.response_trailers(), upstream_head.headers, trailers);
    auto ended = co_await exchange.finish(context, trailers);
    if (!ended) co_return Relayed{Failed::client, client_gone(ended.error())};
    co_return Relayed{};
}

Result<int> Proxy::finished(Context& context, http::Exchange& exchange, const std::string& service,
                            const TargetCall& call, Relayed relayed, int status) {
    if (relayed.failed == Failed::nothing) return status;
    if (exchange.responded()) exchange.reset(); // half an answer must not look whole
    // Before the context: it was the client that let the deadline pass.
    if (relayed.failed == Failed::client) return std::move(*relayed.error);
    return upstream_error(context, service, call, *relayed.error);
}

} // namespace flotilla::gateway
