#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <unistd.h>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/http/server.hpp>

namespace flotilla::http {

/// One side of a connection by hand, for tests: what is said is said byte for byte.
class Wire {
public:
    Wire(Context& context, std::unique_ptr<Stream> stream) : context_(context), stream_(std::move(stream)) {}

    static task<std::unique_ptr<Wire>> connect(Context& context, Address address) {
        auto stream = co_await context.world().connect(context, std::move(address));
        if (!stream) throw std::runtime_error("connect: " + stream.error().message());
        co_return std::make_unique<Wire>(context, std::move(*stream));
    }

    task<bool> say(std::string text) { co_return (co_await stream_->write(context_, text)).has_value(); }
    /// Everything up to and with `marker`; what came when the connection ended before it.
    task<std::string> until(std::string marker) {
        std::size_t at = std::string::npos;
        while ((at = received_.find(marker)) == std::string::npos && co_await more()) {
        }
        const auto size = at == std::string::npos ? received_.size() : at + marker.size();
        std::string text = received_.substr(0, size);
        received_.erase(0, size);
        co_return text;
    }
    /// Exactly so many bytes, or fewer at the end.
    task<std::string> bytes(std::size_t size) {
        while (received_.size() < size && co_await more()) {
        }
        std::string text = received_.substr(0, size);
        received_.erase(0, text.size());
        co_return text;
    }
    /// A response with Content-Length: its head and body.
    task<std::string> response() {
        std::string head = co_await until("\r\n\r\n");
        const auto at = head.find("Content-Length: ");
        if (at == std::string::npos) co_return head;
        co_return head + co_await bytes(std::stoul(head.substr(at + 16)));
    }
    /// Everything until the connection ends.
    task<std::string> rest() {
        while (co_await more()) {
        }
        co_return std::exchange(received_, {});
    }
    bool reset_by_peer() const { return reset_; }
    Stream& stream() { return *stream_; }
    void close() { stream_->close(); }

private:
    task<bool> more() {
        std::array<char, 16 * 1024> block;
        const auto count = co_await stream_->read(context_, block);
        reset_ = reset_ || !count;
        if (!count || *count == 0) co_return false;
        received_.append(block.data(), *count);
        co_return true;
    }

    Context& context_;
    std::unique_ptr<Stream> stream_;
    std::string received_;
    bool reset_ = false;
};

/// Lets the loop turn once.
inline task<void> turn(Context& context) {
    Event event;
    context.world().post([&event] { event.notify(); });
    if (!co_await event.wait(context)) throw std::runtime_error("the test took too long");
}

/// Lets the loop turn until the condition holds.
template <class Condition>
task<void> turn_until(Context& context, Condition condition) {
    while (!condition())
        co_await turn(context);
}

inline std::string temporary_socket_path() {
    static int number = 0;
    return "/tmp/flotilla_http_test_" + std::to_string(::getpid()) + "_" + std::to_string(++number);
}

using Play = std::function<task<void>(Context&, Server&, Address)>;

inline task<void> play_against(Context& context, Server& server, Address address, const Play& play) {
    Scope scope(context);
    scope.spawn(server.run(scope.context()));
    std::exception_ptr exception;
    try {
        co_await play(context, server, address);
    } catch (...) {
        exception = std::current_exception();
    }
    co_await server.shutdown(context, std::chrono::seconds(5));
    co_await scope.join();
    if (exception) std::rethrow_exception(exception);
}

/// Runs a server on a free port of the loopback interface, plays against it, and shuts it down. 20 s at most.
inline void with_server(ServerOptions options, Handler handler, Play play,
                        Address address = Address::tcp("127.0.0.1", 0)) {
    Loop loop;
    Context root(loop.world());
    Context context(root, std::chrono::seconds(20));
    Server server(loop.world(), std::move(handler), options);
    const auto bound = server.listen(address);
    ASSERT_TRUE(bound) << bound.error().message();
    loop.run_until_done(play_against(context, server, *bound, play));
    EXPECT_EQ(server.statistics().connections, 0u);
    EXPECT_EQ(server.statistics().active_requests, 0u);
}

} // namespace flotilla::http
