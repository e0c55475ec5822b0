#include <flotilla/http/client_connection.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace flotilla::http {

namespace {

constexpr std::size_t kBufferBytes = 8 * 1024;
constexpr std::size_t kBodyBufferBytes = 64 * 1024;
constexpr int kInterimResponsesMax = 16;
constexpr std::string_view kClosed = "the server closed it";

task<Result<void>> ready(Result<void> result) { co_return result; }

Error misuse(std::string_view what) { return Error(Kind::internal, std::string(what)); }

} // namespace

ClientConnection::ClientConnection(std::unique_ptr<Stream> stream, const ClientOptions& options)
    : options_(options), stream_(std::move(stream)), buffer_(kBufferBytes) {}

HeadLimits ClientConnection::head_limits() const {
    return {options_.header_bytes_max, options_.header_bytes_max, options_.header_count_max};
}

void ClientConnection::start(bool reused) {
    reused_ = reused;
    if (reused) stream_->guard_next_write();
    response_started_ = announced_ = unsent_ = false;
    request_ = response_side_ = Side::idle;
    buffer_.consume(std::exchange(held_, 0));
    sender_.buffer().clear();
    trailers_.clear();
    response_body_size_ = {};
    buffer_.shrink();
}

bool ClientConnection::reusable() const {
    return request_ == Side::done && response_side_ == Side::done && parser_.framing().keep_alive() &&
           stream_->is_open() && buffer_.view().size() == held_ && body_.framing() != BodyFraming::until_close &&
           !announced_;
}

void ClientConnection::reset() {
    if (request_ != Side::done) request_ = Side::broken;
    if (response_side_ != Side::done) response_side_ = Side::broken;
    stream_->reset();
}

Result<void> ClientConnection::begin_request(const RequestHead& head, const Address& address, BodySize size) {
    if (request_ != Side::idle) return misuse("an exchange carries one request");
    HeadFraming framing;
    chunked_ = size.framing == BodySize::Framing::unknown;
    unwritten_ = size.framing == BodySize::Framing::known ? size.bytes : 0;
    // A POST, PUT or PATCH without content says so (RFC 9110 §8.6).
    const bool expects_content =
        head.method == Method::post || head.method == Method::put || head.method == Method::patch;
    if (chunked_) {
        framing.length = HeadFraming::Length::chunked;
    } else if (unwritten_ > 0 || expects_content) {
        framing.length = HeadFraming::Length::bytes;
        framing.bytes = unwritten_;
    }
    to_head_ = head.method == Method::head;
    const auto fallback =
        head.authority.empty() ? (address.is_unix() ? "localhost" : address.to_string()) : std::string();
    const std::string_view authority = head.authority.empty() ? std::string_view(fallback) : head.authority;
    if (!encode_request_head(sender_.buffer(), head, authority, framing)) {
        request_ = Side::broken;
        return Error(Kind::invalid, "the request's method, target or authority is malformed");
    }
    request_ = Side::open;
    return {};
}

task<Result<void>> ClientConnection::send(Context& context, const RequestHead& head, const Address& address,
                                          BodySize size) {
    if (auto begun = begin_request(head, address, size); !begun) return ready(std::move(begun));
    // With a body of known size to follow, the head waits for its first piece: one write instead of two. On a kept
    // connection it leaves by itself: whether the server is still there shows before a piece is taken from anybody.
    if (unwritten_ > 0 && !reused_) return ready({});
    return transmit(context, {}, {});
}

task<Result<void>> ClientConnection::send_whole(Context& context, const RequestHead& head, const Address& address,
                                                std::string_view body) {
    if (auto begun = begin_request(head, address, BodySize::of(body.size())); !begun) return ready(std::move(begun));
    unwritten_ = 0;
    request_ = Side::done;
    return transmit(context, body, {});
}

task<Result<void>> ClientConnection::write(Context& context, std::string_view piece) {
    if (request_ == Side::broken) return ready(Error(Kind::unavailable, "the connection has been given up"));
    if (request_ != Side::open) return ready(misuse("write() comes between send() and finish()"));
    if (piece.empty()) return ready({});
    if (chunked_) {
        encode_chunk_line(sender_.buffer(), piece.size());
        return transmit(context, piece, "\r\n");
    }
    if (piece.size() > unwritten_) {
        reset();
        return ready(misuse("more was written than announced"));
    }
    unwritten_ -= piece.size();
    return transmit(context, piece, {});
}

task<Result<void>> ClientConnection::finish(Context& context, const Headers& trailers) {
    if (request_ == Side::broken) return ready(Error(Kind::unavailable, "the connection has been given up"));
    if (request_ != Side::open) return ready(misuse("finish() comes once, after send()"));
    if (unwritten_ > 0) {
        reset();
        return ready(misuse("less was written than announced"));
    }
    request_ = Side::done;
    if (chunked_) encode_last_chunk(sender_.buffer(), trailers);
    return transmit(context, {}, {});
}

task<Result<void>> ClientConnection::transmit(Context& context, std::string_view body, std::string_view tail) {
    auto written = co_await sender_.send(context, *stream_, body, tail);
    if (written) co_return {};
    // The response may have come before the server stopped reading: the stream stays open for receive().
    request_ = Side::broken;
    // What arrived before the request left is no answer to it, and may be one to somebody else's.
    unsent_ = written.error().code() == Stream::kNotQuiet;
    if (unsent_) co_return unsent_error();
    if (context.cancelled()) co_return std::move(written.error());
    co_return Error(Kind::unavailable, "request_not_taken",
                    "the request could not be sent: " + written.error().message());
}

Error ClientConnection::unsent_error() const {
    if (stream_->peer_state() == Stream::PeerState::present) {
        return Error(Kind::unavailable, "unsolicited_response",
                     "the server sent bytes on an idle connection, before it was asked anything");
    }
    return Error(Kind::unavailable, "connection_stale", "the server had closed the kept connection");
}

/// Reads more bytes; 0 at the connection's orderly end.
task<Result<std::size_t>> ClientConnection::fill(Context& context, std::size_t wanted) {
    auto bytes = co_await stream_->read(context, buffer_.space(wanted));
    if (!bytes) {
        response_side_ = Side::broken;
        if (context.cancelled()) co_return std::move(bytes.error());
        co_return cut(bytes.error().message());
    }
    // Said while the request was on its way: the write's guard could not see it.
    if (reused_ && !response_started_ && *bytes > 0 && !stream_->has_reached_peer()) {
        reset();
        co_return Error(Kind::bad_gateway, "unsolicited_response",
                        "the server sent bytes before the request can have reached it");
    }
    response_started_ = response_started_ || *bytes > 0;
    buffer_.commit(*bytes);
    co_return *bytes;
}

Error ClientConnection::cut(std::string_view why) {
    response_side_ = Side::broken;
    if (!response_started_) {
        return Error(Kind::bad_gateway, "no_response",
                     "the connection ended before a response began: " + std::string(why));
    }
    return Error(Kind::bad_gateway, "response_cut",
                 "the connection ended in the middle of the response: " + std::string(why));
}

/// at: the place, see HeadParser::failed_at().
Error ClientConnection::bad_response(const ProtocolError& error, std::string_view at) {
    response_side_ = Side::broken;
    auto text = error.text();
    if (!at.empty()) text.append(", at '").append(at).append("'");
    if (error.status == 431)
        return Error(Kind::bad_gateway, "response_head_too_large", "the response is refused: " + text);
    return Error(Kind::bad_gateway, "bad_response", "the response is malformed: " + text);
}

task<Result<const ResponseHead*>> ClientConnection::receive(Context& context) {
    if (unsent_) co_return unsent_error();
    if (response_side_ != Side::idle) co_return misuse("an exchange has one response");
    if (sender_.has_unsent()) co_await must(transmit(context, {}, {}));
    for (int interim = 0; interim <= kInterimResponsesMax; ++interim) {
        parser_.start(response_, head_limits());
        while (true) {
            std::size_t consumed = 0;
            const auto progress = parser_.feed(buffer_.view(), consumed);
            buffer_.consume(consumed);
            if (progress == Progress::done) break;
            if (progress == Progress::failed) co_return bad_response(parser_.error(), parser_.failed_at());
            if (co_await must(fill(context, 1)) == 0) co_return cut(kClosed);
        }
        if (response_.status == 101) co_return bad_response({502, {}, "it switches to a protocol nobody asked for"});
        const auto& framing = parser_.framing();
        const bool bodiless = framing.response_body(response_.status, false) == BodyFraming::none;
        announced_ = announced_ || (bodiless && (framing.length() > 0 || framing.has_transfer_encoding()));
        if (response_.status < 200) continue;
        begin_body();
        co_return &response_;
    }
    co_return bad_response({502, {}, "too many interim responses"});
}

void ClientConnection::begin_body() {
    const auto& framing = parser_.framing();
    const auto body = framing.response_body(response_.status, to_head_);
    body_.start(body, framing.length(), std::numeric_limits<std::uint64_t>::max(), trailers_, head_limits(),
                Origin::server);
    if (to_head_ && !framing.has_length()) {
        response_body_size_ = BodySize::unknown(); // a proxy's answer to HEAD says no more than this one
    } else if (to_head_ || body == BodyFraming::known) {
        response_body_size_ = BodySize::of(framing.length());
    } else {
        response_body_size_ = body == BodyFraming::none ? BodySize::none() : BodySize::unknown();
    }
    response_side_ = body_.done() ? Side::done : Side::open;
}

task<Result<std::string_view>> ClientConnection::read(Context& context) {
    if (response_side_ == Side::idle) co_return misuse("read() comes after receive()");
    buffer_.consume(std::exchange(held_, 0));
    while (true) {
        if (response_side_ == Side::broken)
            co_return Error(Kind::bad_gateway, "response_cut", "the exchange was given up");
        const auto step = body_.next(buffer_.content());
        if (step.state == BodyDecoder::State::piece) {
            held_ = step.consumed;
            if (body_.done()) response_side_ = Side::done;
            co_return step.piece;
        }
        buffer_.consume(step.consumed);
        if (step.state == BodyDecoder::State::failed) co_return bad_response(body_.error(), body_.failed_at());
        if (step.state == BodyDecoder::State::done) {
            response_side_ = Side::done;
            co_return std::string_view();
        }
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(body_.expected(), kBodyBufferBytes));
        if (co_await must(fill(context, wanted)) > 0) continue;
        if (!body_.end_of_input()) co_return cut(kClosed);
    }
}

} // namespace flotilla::http
