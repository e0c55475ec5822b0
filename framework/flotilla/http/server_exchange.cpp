#include <flotilla/http/server_connection.hpp>

#include <algorithm>
#include <array>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/http/request_context.hpp>
#include <flotilla/http/upgraded_stream.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kBodyBufferBytes = 64 * 1024;

task<Result<void>> ready(Result<void> result) { co_return result; }

/// The handler did what the interface does not allow.
Error misuse(std::string_view what) { return Error(Kind::internal, std::string(what)); }

bool out_of_time(const Context& context) {
    return context.cancelled() && context.reason().kind() == Kind::deadline_exceeded;
}

} // namespace

Error to_error(const ProtocolError& error) {
    Kind kind = Kind::invalid;
    if (error.status == 413) kind = Kind::too_large;
    if (error.status == 501 || error.status == 505) kind = Kind::unimplemented;
    return Error(kind, std::string(error.code), error.text());
}

Result<void> ServerConnection::limit_body(std::uint64_t bytes_max) {
    if (body_.set_limit(bytes_max)) return {};
    return refuse_body();
}

void ServerConnection::limit_time(Duration max) {
    if (handling_) handling_->set_deadline(wanted_by_.earlier(Deadline::after(server_.world.monotonic(), max)));
}

void ServerConnection::limit_criticality(Criticality max) {
    if (handling_) handling_->criticality = std::min(criticality_.value_or(max), max);
}

Error ServerConnection::refuse_body() {
    ++server_.statistics.protocol_errors;
    close_ = true;
    return to_error(body_.error());
}

task<Result<std::string_view>> ServerConnection::read(Context& context) {
    buffer_.consume(std::exchange(held_, 0));
    // Time that the handler took is not the sender's.
    if (body_given_at_) body_deadline_ += server_.world.monotonic() - *std::exchange(body_given_at_, std::nullopt);
    while (true) {
        const auto step = body_.next(buffer_.content());
        if (step.state == BodyDecoder::State::piece) {
            held_ = step.consumed;
            if (!body_.done()) body_given_at_ = server_.world.monotonic();
            co_return step.piece;
        }
        buffer_.consume(step.consumed);
        if (step.state == BodyDecoder::State::done) co_return std::string_view();
        if (step.state == BodyDecoder::State::failed) co_return refuse_body();
        if (!stream_ || !stream_->is_open()) co_return Error(Kind::unavailable, "the connection has been given up");
        // A head that waits for its body goes out before we wait for the peer.
        if (sender_.has_unsent()) co_await must(transmit(context, {}, {}));
        if (continue_pending_) co_await must(send_continue(context));
        if (context.cancelled()) {
            close_ = true;
            co_return context.reason();
        }

        std::optional<Context> bounded;
        const Deadline limit{body_deadline_};
        if (limit < context.deadline()) bounded.emplace(context, limit);
        const auto wanted = std::min<std::uint64_t>(body_.expected(), kBodyBufferBytes);
        const TimeSpent::Interval waiting(context, TimeSpent::On::request_body);
        const auto bytes =
            co_await stream_->read(bounded ? *bounded : context, buffer_.space(static_cast<std::size_t>(wanted)));
        if (bytes && *bytes > 0) {
            buffer_.commit(*bytes);
            earn_body_time(*bytes);
            continue;
        }
        close_ = true;
        if (bytes && !body_.end_of_input()) co_return to_error(body_.error());
        // Whichever time ended while we waited for the client: it was the client that let it pass (RFC 9110 §15.5.9).
        if (out_of_time(bounded ? *bounded : context))
            co_return Error(Kind::invalid, "request_timeout", "the request body took too long to arrive");
        co_return bytes.error();
    }
}

/// Who sends at the least rate may send as long as the size allows; who drips loses the connection at the timeout.
void ServerConnection::earn_body_time(std::size_t bytes) {
    const auto rate = server_.options.body_bytes_per_second_min;
    if (rate > 0) body_deadline_ += std::chrono::nanoseconds(bytes * 1'000'000'000 / rate);
}

task<Result<void>> ServerConnection::send_continue(Context& context) {
    // Once answered, the client rightly keeps its body: it stays pending, so that nobody waits for it afterwards.
    if (answer_ != Answer::none) co_return {};
    continue_pending_ = false;
    sender_.buffer() = "HTTP/1.1 100 Continue\r\n\r\n";
    co_return co_await transmit(context, {}, {});
}

/// True when reading the body to its end is not worth keeping the connection.
bool ServerConnection::body_out_of_reach() const {
    if (body_.done()) return false;
    return continue_pending_ || !body_.fits() ||
           (body_.framing() == BodyFraming::known && body_.expected() > kDrainBytesMax);
}

/// Encodes the head. `whole`: no more reading of the request is to be expected.
Result<void> ServerConnection::begin_answer(const ResponseHead& head, BodySize size, bool whole) {
    if (answer_ != Answer::none) return misuse("a response has been sent already");
    if (head.status < 200 || head.status > 599) return misuse("a response's status is 200..599");
    const bool to_head = request_.method == Method::head;
    const bool no_content = head.status == 204 || head.status == 304;
    const bool old_client = parser_.framing().minor_version == 0;
    bodiless_ = to_head || no_content;
    chunked_ = until_close_ = false;
    HeadFraming framing;
    switch (size.framing) {
    case BodySize::Framing::none:
        if (!bodiless_) framing.length = HeadFraming::Length::bytes;
        break;
    case BodySize::Framing::known:
        if (!no_content) framing.length = HeadFraming::Length::bytes;
        framing.bytes = unwritten_ = size.bytes;
        break;
    case BodySize::Framing::unknown:
        if (bodiless_) break;
        chunked_ = !old_client;
        if (chunked_) framing.length = HeadFraming::Length::chunked;
        until_close_ = old_client; // its end is the connection's
        close_ = close_ || until_close_;
        break;
    }
    // Who took too long to send a request would go on with it where the next one is expected (RFC 9110 §15.5.9).
    close_ = close_ || server_.draining || head.status == 408 || (whole && body_out_of_reach());
    if (close_) {
        framing.connection = HeadFraming::Connection::close;
    } else if (old_client) {
        framing.connection = HeadFraming::Connection::keep_alive;
    }
    encode_response_head(sender_.buffer(), head, framing, server_.date());
    answer_ = Answer::streaming;
    return {};
}

/// Writes what is encoded, then body and tail: one gathered write.
task<Result<void>> ServerConnection::transmit(Context& context, std::string_view body, std::string_view tail) {
    if (!stream_) co_return misuse("the connection has been handed over");
    server_.world.catch_up(); // the handler may have been busy until now; whoever measures it relies on this
    const bool began_late = context.cancelled();
    const TimeSpent::Interval waiting(context, TimeSpent::On::answer);
    std::optional<Context> bounded;
    if (context.remaining() > server_.options.write_timeout) bounded.emplace(context, server_.options.write_timeout);
    auto written = co_await sender_.send(bounded ? *bounded : context, *stream_, body, tail);
    if (written) co_return {};
    reset();
    if (!began_late && out_of_time(bounded ? *bounded : context))
        co_return Error(Kind::unavailable, "client_too_slow", "the client did not take the answer in time");
    co_return std::move(written.error());
}

task<Result<void>> ServerConnection::send(Context& context, const ResponseHead& head, BodySize size) {
    if (auto begun = begin_answer(head, size, false); !begun) return ready(std::move(begun));
    // With a body of known size to follow, the head waits for its first piece: one write instead of two.
    if (unwritten_ > 0 && !bodiless_) return ready({});
    return transmit(context, {}, {});
}

task<Result<void>> ServerConnection::respond(Context& context, const ResponseHead& head, std::string_view body) {
    if (auto begun = begin_answer(head, BodySize::of(body.size()), true); !begun) return ready(std::move(begun));
    answer_ = Answer::finished;
    return transmit(for_answer(context), bodiless_ ? std::string_view() : body, {});
}

task<Result<void>> ServerConnection::write(Context& context, std::string_view piece) {
    if (answer_ == Answer::broken) return ready(Error(Kind::unavailable, "the connection has been given up"));
    if (answer_ != Answer::streaming) return ready(misuse("write() comes between send() and finish()"));
    if (piece.empty() || bodiless_) return ready({});
    if (chunked_) {
        encode_chunk_line(sender_.buffer(), piece.size());
        return transmit(context, piece, "\r\n");
    }
    if (!until_close_) {
        if (piece.size() > unwritten_) {
            reset();
            return ready(misuse("more was written than announced"));
        }
        unwritten_ -= piece.size();
    }
    return transmit(context, piece, {});
}

task<Result<void>> ServerConnection::finish(Context& context, const Headers& trailers) {
    if (answer_ == Answer::broken) return ready(Error(Kind::unavailable, "the connection has been given up"));
    if (answer_ != Answer::streaming) return ready(misuse("finish() comes once, after send()"));
    if (!bodiless_ && unwritten_ > 0) {
        reset();
        return ready(misuse("less was written than announced"));
    }
    answer_ = Answer::finished;
    if (chunked_) encode_last_chunk(sender_.buffer(), trailers);
    return transmit(for_answer(context), {}, {});
}

void ServerConnection::reset() {
    if (answer_ == Answer::upgraded) return;
    answer_ = Answer::broken;
    sender_.buffer().clear();
    if (stream_) stream_->reset();
}

task<Result<std::unique_ptr<Stream>>> ServerConnection::upgrade(Context& context, const ResponseHead& head) {
    const bool switching = head.status == 101;
    const bool tunnel = request_.method_name == "CONNECT" && head.status >= 200 && head.status < 300;
    if (answer_ != Answer::none) co_return misuse("a response has been sent already");
    if (!switching && !tunnel) co_return misuse("an upgrade is answered with 101, a CONNECT with 2xx");
    if (!body_.done()) co_return misuse("an upgrade follows the whole request");
    buffer_.consume(std::exchange(held_, 0));
    HeadFraming framing;
    if (switching) framing.connection = HeadFraming::Connection::upgrade;
    encode_response_head(sender_.buffer(), head, framing, server_.date());
    answer_ = Answer::finished;
    co_await must(transmit(context, {}, {}));
    answer_ = Answer::upgraded;
    if (buffer_.empty()) co_return std::move(stream_);
    co_return std::make_unique<UpgradedStream>(std::move(stream_), std::string(buffer_.view()));
}

} // namespace flotilla::http
