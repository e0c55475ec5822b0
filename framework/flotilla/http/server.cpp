#include <flotilla/http/server.hpp>

#include <array>
#include <tuple>
#include <vector>

#include <flotilla/aio/event.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/http/server_connection.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kRefusingMax = 64; // beyond, connections over the limit are closed without a word
constexpr Duration kRefusalTime = std::chrono::seconds(1);

std::string overload_answer(std::string_view date) {
    const Error error(Kind::unavailable, "connections_exhausted", "too many connections, try again");
    ResponseHead head;
    head.status = status_of(error);
    add_problem_headers(head.headers, error);
    const auto body = problem_json(error, {});
    std::string answer;
    encode_response_head(answer, head, {HeadFraming::Length::bytes, body.size(), HeadFraming::Connection::close}, date);
    return answer.append(body);
}

} // namespace

struct Server::Impl {
    ServerState state;
    std::vector<std::unique_ptr<Listener>> listeners;
    Scope* scope = nullptr; // while run() runs
    Event stop;
    std::vector<Event*> shutting_down; // shutdown() calls that wait for run() to end
    std::size_t refusing = 0;

    Impl(World& world, Handler handler, const ServerOptions& options) : state(world, std::move(handler), options) {}

    task<void> accept_all(Listener& listener) {
        while (true) {
            auto stream = co_await listener.accept(scope->context());
            if (!stream || state.draining) co_return; // closed, or the scope is cancelled
            if (state.statistics.connections < state.options.connections_max) {
                scope->spawn(serve(std::move(*stream)));
            } else if (refusing < kRefusingMax) {
                scope->spawn(refuse(std::move(*stream)));
            }
        }
    }

    task<void> serve(std::unique_ptr<Stream> stream) {
        ServerConnection connection(state, std::move(stream), scope->context());
        co_await connection.serve();
    }

    /// Says 503 and waits until the peer has read it.
    task<void> refuse(std::unique_ptr<Stream> stream) {
        ++refusing;
        Context context(scope->context(), kRefusalTime);
        const std::string answer = overload_answer(state.date());
        if (co_await stream->write(context, answer)) {
            stream->shutdown_write();
            std::array<char, 1024> ignored;
            for (int reads = 0; reads < 64; ++reads) {
                const auto bytes = co_await stream->read(context, ignored);
                if (!bytes || *bytes == 0) break;
            }
        }
        --refusing;
    }

    void close_listeners() {
        for (auto& listener : listeners)
            listener->close();
    }
};

Server::Server(World& world, Handler handler, ServerOptions options)
    : impl_(std::make_unique<Impl>(world, std::move(handler), options)) {}

Server::~Server() = default;

Result<Address> Server::listen(const Address& address, ListenOptions options) {
    if (impl_->state.draining) return Error(Kind::unavailable, "the server is shutting down");
    auto listener = impl_->state.world.listen(address, options);
    if (!listener) return std::move(listener.error());
    impl_->listeners.push_back(std::move(*listener));
    Listener& added = *impl_->listeners.back();
    if (impl_->scope) impl_->scope->spawn(impl_->accept_all(added));
    return added.local();
}

task<void> Server::run(Context& context) {
    auto& impl = *impl_;
    Scope scope(context);
    impl.scope = &scope;
    for (auto& listener : impl.listeners)
        scope.spawn(impl.accept_all(*listener));
    // Until shutdown() or until the context ends, which ends the connections too.
    if (!impl.state.draining) std::ignore = co_await impl.stop.wait(context);
    impl.state.draining = true;
    impl.close_listeners();
    std::exception_ptr exception;
    try {
        co_await scope.join();
    } catch (...) {
        exception = std::current_exception();
    }
    impl.scope = nullptr;
    for (Event* event : std::exchange(impl.shutting_down, {}))
        event->notify();
    if (exception) std::rethrow_exception(exception);
}

task<void> Server::shutdown(Context& context, Duration drain) {
    auto& impl = *impl_;
    impl.state.draining = true;
    impl.close_listeners();
    for (auto* connection = impl.state.first; connection; connection = connection->next())
        connection->close_if_idle();
    if (!impl.scope) co_return; // run() has not begun (and will return at once), or has ended

    Event ended;
    struct Registration {
        std::vector<Event*>& list;
        Event* event;
        Registration(std::vector<Event*>& waiting, Event* waiter) : list(waiting), event(waiter) {
            list.push_back(event);
        }
        ~Registration() { std::erase(list, event); }
    } registration(impl.shutting_down, &ended);
    impl.stop.notify();
    {
        Context patience(context, drain);
        if (co_await ended.wait(patience)) co_return;
    }
    if (impl.scope) impl.scope->cancel(Error(Kind::unavailable, "the server is shutting down"));
    // A wait cut short by the caller's context is the caller's wish: run() ends on its own.
    std::ignore = co_await ended.wait(context);
}

const Server::Statistics& Server::statistics() const { return impl_->state.statistics; }

} // namespace flotilla::http
