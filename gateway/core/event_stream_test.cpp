// Streams of events through the gateway: as long as their route allows, event by event.
#include <gtest/gtest.h>

#include <algorithm>

#include <flotilla/http/event_stream.hpp>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::event_stream_test {
namespace {

/// Sends an event when it is told to.
struct EventSource {
    Event news, ended;
    std::optional<Error> failure;

    http::Handler handler() {
        return [this](Context& context, http::Exchange& exchange) { return serve(context, exchange); };
    }
    task<void> serve(Context& context, http::Exchange& exchange) {
        exchange.limit_time(std::chrono::hours(1));
        http::EventStreamWriter writer(exchange, {.heartbeat = std::chrono::hours(1)});
        for (int id = 1; !failure; ++id) {
            if (auto woken = co_await writer.wait(context, news); !woken) failure = std::move(woken.error());
            std::ignore = co_await writer.send(context, std::to_string(id), "news");
        }
        exchange.reset();
        ended.notify();
    }
};

constexpr const char* kEventRoute = R"(
routes:
  - match: {path: /events}
    to: user-service
    timeout: 1h
timeout: 100ms
access_log: {sample: 0, slow: 1ms}
)";

task<void> follow(TestFleet& fleet, EventSource& source, bool stop) {
    Context context(fleet.root(), TestFleet::kPatience);
    auto exchange = (co_await fleet.client().open(context, fleet.address())).value();
    http::RequestHead asked;
    asked.target = "/events";
    asked.authority = "shop.example";
    asked.headers.add("last-event-id", "7");
    EXPECT_TRUE(co_await exchange->send_whole(context, asked, ""));
    const auto head = co_await exchange->receive(context);
    EXPECT_TRUE(head && (*head)->status == 200);
    const auto begun = fleet.world().monotonic();
    for (int id = 1; fleet.world().monotonic() - begun < std::chrono::milliseconds(150);
         ++id) { // past the others' time
        source.news.notify();
        const auto piece = co_await exchange->read(context);
        EXPECT_EQ(piece.value_or("(none)"), "id: " + std::to_string(id) + "\ndata: news\n\n");
        if (!piece) break;
    }
    if (stop) {
        const auto begin = fleet.world().monotonic();
        fleet.stop();
        EXPECT_EQ((co_await exchange->read(context)).value_or("(cut)"), "") << "the stream is whole";
        EXPECT_LT(fleet.world().monotonic() - begin, std::chrono::seconds(5));
    }
    exchange.reset();
    std::ignore = co_await source.ended.wait(context);
}

// Goal: a stream of events passes event by event for as long as its route allows, and is no slow request; a client that
// goes takes the service's stream along.
TEST(GatewayEventStream, EventsPassAsTheyHappen) {
    EventSource source;
    TestFleet fleet;
    fleet.serve("user-service", source.handler());
    fleet.start(kEventRoute);
    fleet.run(follow(fleet, source, false));
    EXPECT_TRUE(source.failure);
    EXPECT_FALSE(
        std::ranges::any_of(fleet.log_lines(), [](const auto& line) { return line.contains("slow request"); }));
}

// Goal: a gateway that stops ends streams in good order at once, though they would go on.
TEST(GatewayEventStream, StoppingEndsEventsInGoodOrder) {
    EventSource source;
    TestFleet fleet;
    fleet.serve("user-service", source.handler());
    fleet.start(kEventRoute);
    fleet.run(follow(fleet, source, true));
}

} // namespace
} // namespace flotilla::gateway::event_stream_test
