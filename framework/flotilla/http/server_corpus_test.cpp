#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/http/http1/corpus.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http {
namespace {

/// What a server did with one case: the messages its handler was given, the statuses it answered.
struct Outcome {
    std::vector<std::string> arrived;
    std::vector<int> statuses;
};

/// One connection of its own, everything said at once, our side then closed.
task<void> play_case(Context& context, Address address, const std::string& bytes, Outcome& outcome) {
    auto wire = co_await Wire::connect(context, std::move(address));
    if (!bytes.empty()) std::ignore = co_await wire->say(bytes);
    wire->stream().shutdown_write();
    outcome.statuses = statuses_of(co_await wire->rest());
}

// Goal: over a real connection each message of the corpus gets the RFC's verdict: what is valid reaches the handler as
// it was meant, what is not is refused with the status demanded and nothing after it is served.
TEST(HttpServer, CorpusGetsTheVerdicts) {
    const auto corpus = CorpusReader::read();
    Outcome outcome;
    const auto handler = [&outcome](Context& context, Exchange& exchange) -> task<void> {
        auto body = co_await exchange.read_all(context, kCorpusBodyMax);
        if (!body) {
            std::ignore = co_await respond_error(context, exchange, body.error());
            co_return;
        }
        outcome.arrived.push_back(described(exchange.request(), *body, exchange.request_trailers()));
        std::ignore = co_await exchange.respond(context, {}, "ok");
    };
    with_server({.body_bytes_max = kCorpusBodyMax}, handler,
                [&](Context& context, Server&, Address address) -> task<void> {
                    for (const auto& each : corpus) {
                        outcome = {};
                        co_await play_case(context, address, each.bytes, outcome);
                        std::vector<std::string> arrived;
                        std::vector<int> statuses;
                        for (const auto& want : each.want) {
                            if (want.accepted()) arrived.push_back(want.text);
                            if (!want.unfinished()) statuses.push_back(want.refused() ? want.status : 200);
                        }
                        // A body that the end of the connection cuts may be answered (RFC 9112 §8).
                        const bool cut = each.want.back().unfinished() && outcome.statuses.size() > statuses.size();
                        if (cut) statuses.push_back(400);
                        EXPECT_THAT(outcome.arrived, testing::ElementsAreArray(arrived)) << each.name;
                        EXPECT_THAT(outcome.statuses, testing::ElementsAreArray(statuses)) << each.name;
                    }
                });
}

} // namespace
} // namespace flotilla::http
