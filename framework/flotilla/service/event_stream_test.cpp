// Event streams: served by a host from what it keeps, read over TCP.
#include <gtest/gtest.h>

#include <flotilla/http/test_wire.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::event_stream_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct Watch {
    std::string ship;
};
struct Sighting {
    std::string ship, where;
};

constexpr ErrorCode no_such_ship{"no_such_ship", Kind::not_found, "No such ship"};
constexpr Service service{"test-service"};
constexpr EventStreamEndpoint<Watch, Sighting> watch{
    service, Method::get, "/ships/{ship}/sightings", {.errors = {no_such_ship}}};
constexpr EventStreamEndpoint<Watch, Sighting> glance{service, Method::get, "/ships/{ship}/glance", {.timeout = 400ms}};

/// Keeps what was seen, and tells who watches; the id of a sighting is its place.
class Sightings {
public:
    task<Result<void>> watch(Context& context, Watch request, EventStream<Sighting>& stream) {
        if (request.ship == "none") co_return no_such_ship;
        remaining = context.remaining();
        std::size_t at = stream.last_id().empty() ? kept.size() : std::stoul(std::string(stream.last_id()));
        if (stream.last_id().empty()) co_await must(stream.stand_at(context, std::to_string(at)));
        Event own;
        const Listening listening(*this, own);
        while (true) {
            while (at < kept.size()) {
                const auto place = at++;
                co_await must(stream.send(context, std::to_string(at), {request.ship, kept[place]}));
            }
            co_await must(stream.wait(context, own));
        }
    }
    void see(std::string where) {
        kept.push_back(std::move(where));
        for (auto* each : listening_)
            each->notify();
    }
    std::size_t watched() const { return listening_.size(); }

    std::vector<std::string> kept;
    Duration remaining{};

private:
    struct Listening {
        Listening(Sightings& owner, Event& event) : sightings(owner), news(event) {
            sightings.listening_.push_back(&news);
        }
        Listening(const Listening&) = delete;
        Listening& operator=(const Listening&) = delete;
        ~Listening() { std::erase(sightings.listening_, &news); }
        Sightings& sightings;
        Event& news;
    };
    std::vector<Event*> listening_;
};

class EventStreamTest : public testing::Test {
protected:
    EventStreamTest() {
        host_.emplace(bench_, [this](Host& host) {
            sightings_ = &host.own<Sightings>();
            host.serve(watch, &Sightings::watch, *sightings_);
            host.serve(glance, &Sightings::watch, *sightings_);
        });
    }
    std::unique_ptr<http::Wire> ask(std::string target, std::string fields = "", std::string method = "GET") {
        auto wire = bench_.wait(http::Wire::connect(bounded_, host_->address()));
        bench_.wait(wire->say(method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"));
        return wire;
    }
    std::string until(http::Wire& wire, std::string marker) { return bench_.wait(wire.until(std::move(marker))); }
    bool shows(std::string_view metric) { return host_->get("/metrics").body.contains(metric); }

    Bench bench_;
    Context bounded_{bench_.root(), Duration(20s)};
    std::optional<TestHost> host_;
    Sightings* sightings_ = nullptr;
};

// Goal: who breaks off and comes back with the last id gets what was missed, once, before what is new; who breaks off
// before the first event as well.
TEST_F(EventStreamTest, NothingIsLostOrSentTwice) {
    sightings_->kept = {"Dover"};
    auto first = ask("/ships/ada/sightings");
    EXPECT_TRUE(until(*first, "id: 1\n\n").starts_with("HTTP/1.1 200 OK\r\n"));
    first->close();
    ASSERT_TRUE(bench_.eventually([&] { return sightings_->watched() == 0; }));
    sightings_->see("Calais");
    sightings_->see("Brest");

    auto second = ask("/ships/ada/sightings", "Last-Event-ID: 1\r\n");
    const auto missed = until(*second, "id: 3\ndata: {\"ship\":\"ada\",\"where\":\"Brest\"}\n\n");
    EXPECT_TRUE(missed.contains("id: 2\ndata: {\"ship\":\"ada\",\"where\":\"Calais\"}\n\n")) << missed;
    EXPECT_FALSE(missed.contains("Dover")) << missed;
    sightings_->see("Cadiz");
    const auto next = until(*second, "\n\n");
    EXPECT_TRUE(next.contains("id: 4\ndata: {\"ship\":\"ada\",\"where\":\"Cadiz\"}\n\n")) << next;
}

// Goal: a stream that cannot be had is refused as any other request is.
TEST_F(EventStreamTest, RefusalIsAProblem) {
    const auto refused = host_->get("/ships/none/sightings");
    EXPECT_EQ(refused.status(), 404);
    EXPECT_EQ(code_of(refused), "no_such_ship");
    EXPECT_EQ(host_->send("POST", "/ships/ada/sightings", "{}").status(), 405);
}

// Goal: a service that stops ends its streams at once and in good order, though they would go on for an hour.
TEST_F(EventStreamTest, StoppingEndsStreamsInGoodOrder) {
    auto wire = ask("/ships/ada/sightings");
    until(*wire, "id: 0\n\n");
    EXPECT_GT(sightings_->remaining, 59min);
    EXPECT_TRUE(shows("flotilla_event_streams 1\n"));
    const auto begin = bench_.world().monotonic();
    value(host_->stop());
    EXPECT_LT(bench_.world().monotonic() - begin, 5s) << "it need not wait for the time to drain";
    EXPECT_TRUE(bench_.wait(wire->rest()).ends_with("0\r\n\r\n"));
    EXPECT_FALSE(wire->reset_by_peer());
    host_.reset();
}

// Goal: a stream ends in good order before its time, or that of its caller, is over; its end is no slow request.
TEST_F(EventStreamTest, TimeEndsStreamsInGoodOrder) {
    for (const auto& [target, fields] :
         {std::pair("/ships/ada/glance", ""), std::pair("/ships/ada/sightings", "flotilla-timeout-ms: 400\r\n")}) {
        auto wire = ask(target, fields);
        until(*wire, "id: 0\n\n");
        EXPECT_TRUE(until(*wire, "0\r\n\r\n").ends_with("\r\n0\r\n\r\n")) << target;
        EXPECT_LE(sightings_->remaining, 300ms);
    }
    ASSERT_TRUE(bench_.eventually([&] { return shows("flotilla_event_streams 0\n"); }));
}

// Goal: a client that has gone is noticed though nothing is sent to it.
TEST_F(EventStreamTest, ClientThatHasGoneIsNoticed) {
    auto wire = ask("/ships/ada/sightings");
    until(*wire, "id: 0\n\n");
    wire->stream().reset();
    ASSERT_TRUE(bench_.eventually([&] { return sightings_->watched() == 0; }));
}

// Goal: HEAD has no events and leaves the connection fit for the next request.
TEST_F(EventStreamTest, HeadHasNoEvents) {
    auto wire = ask("/ships/ada/sightings", "", "HEAD");
    EXPECT_TRUE(until(*wire, "\r\n\r\n").contains("text/event-stream"));
    bench_.wait(wire->say("GET /ships/none/sightings HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_TRUE(until(*wire, "\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

// Goal: beyond the bound a stream is refused with the time to come back, and there is room again when one ends.
TEST_F(EventStreamTest, TooManyStreamsAreRefused) {
    std::vector<std::unique_ptr<http::Wire>> open;
    for (std::size_t i = 0; i < 256; ++i) {
        open.push_back(ask("/ships/ada/sightings"));
        until(*open.back(), "id: 0\n\n");
    }
    const auto refused = host_->get("/ships/ada/sightings");
    EXPECT_EQ(refused.status(), 503);
    EXPECT_EQ(code_of(refused), "too_many_streams");
    EXPECT_TRUE(refused.head.headers.has("retry-after"));
    open.back()->stream().reset();
    open.pop_back();
    ASSERT_TRUE(bench_.eventually([&] { return sightings_->watched() == 255; }));
    until(*ask("/ships/ada/sightings"), "id: 0\n\n");
}

} // namespace
} // namespace flotilla::event_stream_test
