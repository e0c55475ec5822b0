#include <flotilla/http/server_connection.hpp>

#include <flotilla/http/problem.hpp>
#include <flotilla/http/request_context.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kBufferBytes = 8 * 1024;
constexpr std::size_t kLingerBytesMax = 512 * 1024;
constexpr Duration kLingerTime = std::chrono::seconds(1);
constexpr Duration kLongWait = std::chrono::milliseconds(20);

HeadLimits limits_of(const ServerOptions& options) {
    return {options.request_line_bytes_max, options.header_bytes_max, options.header_count_max};
}

} // namespace

std::string_view ServerState::date() {
    const auto now = world.now();
    const auto second = now.microseconds() / 1'000'000;
    if (second != date_second_) {
        date_second_ = second;
        date_text_ = now.to_http_date();
    }
    return date_text_;
}

void ServerState::check_clients(void* self) {
    auto& state = *static_cast<ServerState*>(self);
    bool handling = false;
    for (auto* connection = state.first; connection; connection = connection->next())
        handling = connection->check_client() || handling;
    if (handling) state.expect_check();
}

ServerConnection::ServerConnection(ServerState& server, std::unique_ptr<Stream> stream, Context& parent)
    : server_(server), stream_(std::move(stream)), peer_(stream_->peer()), context_(parent), previous_(&server.first),
      next_(server.first), buffer_(kBufferBytes) {
    if (next_) next_->previous_ = &next_;
    server.first = this;
    ++server.statistics.connections;
}

ServerConnection::~ServerConnection() {
    *previous_ = next_;
    if (next_) next_->previous_ = previous_;
    --server_.statistics.connections;
}

void ServerConnection::close_if_idle() {
    if (idle_wait_) idle_wait_->cancel(Error(Kind::unavailable, "the server is shutting down"));
}

bool ServerConnection::check_client() {
    if (!handling_) return false;
    if (!stream_ || !stream_->is_open() || handling_->cancelled()) return true; // handed over, or given up by ourselves
    const auto peer = stream_->peer_state();
    // As long as something is to be read, the handler sees the end there, and behind it.
    const bool silent = body_.done() && buffer_.view().size() == held_;
    const bool heeded = server_.options.cancel_on_half_close || ends_with_client_;
    const bool left = peer == Stream::PeerState::half_closed && heeded && silent;
    if (peer == Stream::PeerState::gone || left) {
        handling_->cancel(Error(Kind::cancelled, "client_gone", "the client has closed the connection"));
    }
    return true;
}

task<void> ServerConnection::serve() {
    for (bool first = true; co_await read_head(first); first = false) {
        co_await handle();
        // The common case needs no further wait.
        if (answer_ == Answer::finished && body_.done() && !close_) {
            buffer_.consume(std::exchange(held_, 0));
        } else if (!co_await conclude()) {
            break;
        }
    }
    if (stream_) stream_->close();
}

/// Waits for a request; false when the connection is to end.
task<bool> ServerConnection::read_head(bool first) {
    const auto& options = server_.options;
    parser_.start(request_, limits_of(options));
    answer_ = Answer::none;
    sender_.buffer().clear();
    buffer_.shrink();
    // A new connection that says nothing gets no more time than a slow head does.
    Instant deadline = server_.world.monotonic() + (first ? options.header_timeout : options.idle_timeout);
    bool started = false;
    while (true) {
        std::size_t consumed = 0;
        const auto progress = parser_.feed(buffer_.view(), consumed);
        buffer_.consume(consumed);
        if (progress == Progress::done) co_return true;
        if (progress == Progress::failed) {
            co_await refuse(to_error(parser_.error()));
            co_return false;
        }
        if (!started && parser_.started()) {
            started = true;
            if (!first) deadline = server_.world.monotonic() + options.header_timeout;
        }
        if (!started && server_.draining) co_return false;
        Context wait(context_, Deadline{deadline});
        idle_wait_ = started ? nullptr : &wait;
        auto bytes = co_await stream_->read(wait, buffer_.space());
        idle_wait_ = nullptr;
        if (bytes && *bytes > 0) {
            buffer_.commit(*bytes);
            continue;
        }
        if (started && !bytes && wait.cancelled() && !context_.cancelled()) {
            co_await refuse(Error(Kind::invalid, "request_timeout", "the request head took too long to arrive"));
        } else if (started) {
            ++server_.statistics.protocol_errors; // cut in the middle
        }
        co_return false;
    }
}

void ServerConnection::start_request() {
    ++server_.statistics.requests;
    const auto& framing = parser_.framing();
    const auto body = framing.request_body();
    body_.start(body, framing.length(), server_.options.body_bytes_max, trailers_, limits_of(server_.options),
                Origin::client);
    request_body_size_ = body == BodyFraming::known     ? BodySize::of(framing.length())
                         : body == BodyFraming::chunked ? BodySize::unknown()
                                                        : BodySize::none();
    body_deadline_ = server_.world.monotonic() + server_.options.body_timeout;
    body_given_at_.reset();
    earn_body_time(buffer_.view().size());
    // Who sends the body anyway does not wait for 100 (Continue).
    continue_pending_ = parser_.expects_continue() && body != BodyFraming::none && buffer_.empty();
    close_ = !framing.keep_alive();
    bodiless_ = chunked_ = ends_with_client_ = false;
    unwritten_ = 0;
}

/// What the client says of the request. Its time runs since the loop could have known of it, not since its turn came.
Result<void> ServerConnection::read_wishes() {
    const auto allowed = time_allowed(parser_);
    if (!allowed) return allowed.error();
    wanted_by_ = Deadline::after(server_.world.backlog().looked, *allowed);
    auto criticality = criticality_of_request(parser_);
    if (!criticality) return std::move(criticality.error());
    criticality_ = *criticality;
    const auto attempts = attempts_of_request(parser_);
    if (!attempts) return attempts.error();
    attempts_.count = *attempts;
    return {};
}

task<void> ServerConnection::handle() {
    start_request();
    // Answers that could not be sent leave the connection broken, which conclude() sees: nothing more can be done.
    if (const auto wishes = read_wishes(); !wishes) {
        std::ignore = co_await respond_error(context_, *this, wishes.error());
        co_return;
    }
    const Instant now = server_.world.monotonic();
    Context context(context_, wanted_by_.earlier(Deadline::after(now, server_.options.request_timeout)));
    context.trace = trace_of_request(parser_, server_.world);
    context.criticality = criticality_.value_or(Criticality::normal);
    std::optional<Carried<AttemptsSpent>> carried;
    if (attempts_.count > 0) carried.emplace(context, attempts_);
    handling_ = &context;
    server_.expect_check();
    // Who has waited for long may have given up: nobody would read the answer.
    if (now - server_.world.backlog().since >= kLongWait) check_client();
    bool threw = false;
    ++server_.statistics.active_requests;
    try {
        co_await server_.handler(context, *this);
    } catch (...) {
        threw = true; // logged by the caller's middleware, answered here
    }
    --server_.statistics.active_requests;
    handling_ = nullptr;
    if (answer_ != Answer::none) co_return;
    const bool late = !threw && context.cancelled();
    std::ignore = co_await respond_error(context, *this,
                                         late ? context.reason() : Error(Kind::internal, "the handler gave no answer"));
}

/// After a request: true when the connection is fit for the next one.
task<bool> ServerConnection::conclude() {
    if (answer_ == Answer::upgraded) co_return false;
    if (answer_ != Answer::finished) {
        reset();
        co_return false;
    }
    buffer_.consume(std::exchange(held_, 0));
    if (!close_ && co_await drain()) co_return true;
    if (!body_.done() || !buffer_.empty()) co_await linger();
    co_return false;
}

/// Reads what is left of a small body; false when it is not worth it or not possible.
task<bool> ServerConnection::drain() {
    Context wait(context_, server_.options.header_timeout);
    std::uint64_t drained = 0;
    while (!body_out_of_reach() && drained <= kDrainBytesMax) {
        const auto piece = co_await read(wait);
        if (!piece) co_return false;
        if (piece->empty()) co_return true;
        drained += piece->size();
    }
    co_return false;
}

/// Lets the peer read the answer before the connection ends: closing with unread bytes would reset it, and the reset
/// may overtake the answer (RFC 9112 §9.6).
task<void> ServerConnection::linger() {
    stream_->shutdown_write();
    Context wait(context_, kLingerTime);
    for (std::size_t total = 0; total < kLingerBytesMax;) {
        buffer_.consume(buffer_.view().size());
        const auto bytes = co_await stream_->read(wait, buffer_.space());
        if (!bytes || *bytes == 0) co_return;
        total += *bytes;
    }
}

/// Answers what is no request.
task<void> ServerConnection::refuse(Error error) {
    ++server_.statistics.protocol_errors;
    ResponseHead head;
    head.status = status_of(error);
    add_problem_headers(head.headers, error);
    const auto body = problem_json(error, {});
    const HeadFraming framing{HeadFraming::Length::bytes, body.size(), HeadFraming::Connection::close};
    encode_response_head(sender_.buffer(), head, framing, server_.date());
    answer_ = Answer::finished;
    if (co_await transmit(context_, body, {})) co_await linger();
}

} // namespace flotilla::http
