#include <flotilla/http/event_stream.hpp>

#include <algorithm>
#include <deque>

#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::event_stream_test {
namespace {

using namespace std::chrono_literals;

std::string event(std::string_view id, std::string_view data) {
    std::string text;
    append_event(text, id, data);
    return text;
}

// Goal: an event is what every client of Server-Sent Events reads, whatever lines its data has.
TEST(EventStream, EventIsWrittenLineByLine) {
    EXPECT_EQ(event("7", R"({"a":1})"), "id: 7\ndata: {\"a\":1}\n\n");
    EXPECT_EQ(event("", "x"), "data: x\n\n");
    EXPECT_EQ(event("7", ""), "id: 7\n\n");
    EXPECT_EQ(event("7", "a\nb\r\nc\rd\n"), "id: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
    EXPECT_THROW(event("7\ndata: forged", "x"), std::invalid_argument);
    EXPECT_THROW(event(std::string_view("7\0", 2), "x"), std::invalid_argument);
}

// Goal: the media type is known whatever its case and parameters, and no other is taken for it.
TEST(EventStream, MediaTypeIsRecognised) {
    for (const auto* yes : {"text/event-stream", "Text/Event-Stream", "text/event-stream; charset=utf-8",
                            "text/event-stream ;charset=utf-8"})
        EXPECT_TRUE(is_event_stream(yes)) << yes;
    for (const auto* no : {"", "text/plain", "text/event-stream-x", "text/event"})
        EXPECT_FALSE(is_event_stream(no)) << no;
}

/// Events that a handler sends when they are put here.
struct Source {
    Event news, ended;
    std::deque<std::string> events;
    bool over = false;
    std::string last_id;
    std::optional<Error> failure;
    int sent = 0;

    void put(std::string data) {
        events.push_back(std::move(data));
        news.notify();
    }
    void end() {
        over = true;
        news.notify();
    }
    Handler handler(EventStreamWriter::Options options) {
        return [this, options](Context& context, Exchange& exchange) { return serve(context, exchange, options); };
    }
    task<void> serve(Context& context, Exchange& exchange, EventStreamWriter::Options options) {
        EventStreamWriter writer(exchange, options);
        last_id = writer.last_event_id();
        auto done = co_await send_all(context, writer);
        if (done) done = co_await writer.finish(context);
        if (!done) {
            failure = std::move(done.error());
            exchange.reset();
        }
        ended.notify();
    }
    task<Result<void>> send_all(Context& context, EventStreamWriter& writer) {
        while (true) {
            for (; !events.empty(); events.pop_front())
                co_await must(writer.send(context, std::to_string(++sent), events.front()));
            if (over) co_return Result<void>();
            co_await must(writer.wait(context, news));
        }
    }
};

const std::string kAsk = "GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 41\r\n\r\n";

// Goal: the head comes at once, each event when it happens, and the end in good order.
TEST(EventStream, EventsArriveAsTheyHappen) {
    Source source;
    with_server({}, source.handler({}), [&](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(kAsk);
        const auto head = co_await wire->until("\r\n\r\n");
        EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
        EXPECT_TRUE(head.contains("text/event-stream\r\n")) << head;
        EXPECT_TRUE(head.contains("no-store\r\n")) << head;
        EXPECT_EQ(source.last_id, "41");
        for (const auto* text : {"one", "two"}) {
            source.put(text);
            EXPECT_TRUE((co_await wire->until("\n\n")).contains("data: " + std::string(text) + "\n\n"));
        }
        source.end();
        co_await wire->until("0\r\n\r\n");
        std::ignore = co_await source.ended.wait(context);
        EXPECT_FALSE(source.failure);
    });
}

/// The sizes of the chunks of a whole body, and its content.
std::vector<std::size_t> take_chunks(std::string_view body, std::string& content) {
    std::vector<std::size_t> sizes;
    while (true) {
        const auto end = body.find("\r\n");
        const auto size = std::stoul(std::string(body.substr(0, end)), nullptr, 16);
        if (size == 0) return sizes;
        sizes.push_back(size);
        content += body.substr(end + 2, size);
        body.remove_prefix(end + 2 + size + 2);
    }
}

// Goal: what comes together goes out together, and no more is gathered than may be.
TEST(EventStream, GatheringIsBounded) {
    Source source;
    for (int i = 0; i < 2000; ++i)
        source.put(std::string(100, 'x'));
    source.over = true;
    with_server({}, source.handler({}), [&](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(kAsk);
        co_await wire->until("\r\n\r\n");
        std::string content;
        const auto sizes = take_chunks(co_await wire->until("\r\n0\r\n\r\n"), content);
        EXPECT_EQ(sizes.size(), content.size() / EventStreamWriter::kGatheredBytesMax + 1);
        EXPECT_LT(std::ranges::max(sizes), EventStreamWriter::kGatheredBytesMax + 200);
        EXPECT_TRUE(content.ends_with("id: 2000\ndata: " + std::string(100, 'x') + "\n\n"));
        EXPECT_FALSE(source.failure);
    });
}

// Goal: silence is filled with comments, which no client takes for an event.
TEST(EventStream, SilenceHasHeartbeats) {
    Source source;
    with_server({}, source.handler({.heartbeat = 5ms}), [&](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say(kAsk);
        for (int i = 0; i < 3; ++i)
            EXPECT_TRUE((co_await wire->until("\n\n")).contains(":\n\n"));
        source.end();
        co_await wire->until("0\r\n\r\n");
    });
}

// Goal: a client that closes its side has gone, though it could still read: nothing else is ever heard of it.
TEST(EventStream, ClosingClientHasGone) {
    Source source;
    with_server({.client_check_interval = 5ms}, source.handler({}),
                [&](Context& context, Server&, Address address) -> task<void> {
                    auto wire = co_await Wire::connect(context, address);
                    co_await wire->say(kAsk);
                    co_await wire->until("\r\n\r\n");
                    wire->stream().shutdown_write();
                    std::ignore = co_await source.ended.wait(context);
                    EXPECT_TRUE(source.failure && source.failure->code() == "client_gone");
                });
}

// Goal: a reader that takes nothing loses its connection, though there is always more for it, and says why.
TEST(EventStream, SlowReaderIsEnded) {
    Source source;
    for (int i = 0; i < 500; ++i)
        source.put(std::string(64 * 1024, 'x')); // more than the sockets' buffers hold
    with_server({}, source.handler({.reader_timeout = 50ms}),
                [&](Context& context, Server&, Address address) -> task<void> {
                    auto wire = co_await Wire::connect(context, address);
                    co_await wire->say(kAsk);
                    std::ignore = co_await source.ended.wait(context);
                    EXPECT_TRUE(source.failure && source.failure->code() == "client_too_slow");
                    EXPECT_FALSE(source.events.empty()) << "what was not taken stays where it is";
                });
}

// Goal: HEAD is answered as GET would be, and does not wait for events.
TEST(EventStream, HeadEndsAtTheHead) {
    Source source;
    source.put("one");
    with_server({}, source.handler({}), [&](Context& context, Server&, Address address) -> task<void> {
        auto wire = co_await Wire::connect(context, address);
        co_await wire->say("HEAD /events HTTP/1.1\r\nHost: a\r\n\r\n");
        const auto answer = co_await wire->rest();
        EXPECT_TRUE(answer.contains("text/event-stream\r\n")) << answer;
        EXPECT_FALSE(answer.contains("data:")) << answer;
        EXPECT_TRUE(source.failure && source.failure->kind() == Kind::cancelled);
    });
}

} // namespace
} // namespace flotilla::http::event_stream_test
