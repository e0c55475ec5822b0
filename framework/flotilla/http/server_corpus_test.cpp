#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/http/http1/corpus.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::server_corpus_test {
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
        auto body = co_await exchange.read_all(context);
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

// Goal: who may keep the connection keeps it, and who must lose it loses it (RFC 9112 §9.3, §9.6): a request right
// behind a case's last message is served if, and only if, that message left the connection open. Our side never closes.
TEST(HttpServer, CorpusLeavesTheConnectionAsItMust) {
    static constexpr std::string_view kProbe = "GET /probe HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
    bool probed = false;
    const auto handler = [&probed](Context& context, Exchange& exchange) -> task<void> {
        probed = probed || exchange.request().target == "/probe";
        auto body = co_await exchange.read_all(context);
        if (body) {
            std::ignore = co_await exchange.respond(context, {}, "ok");
        } else {
            std::ignore = co_await respond_error(context, exchange, body.error());
        }
    };
    with_server({.body_bytes_max = kCorpusBodyMax}, handler,
                [&](Context& context, Server&, Address address) -> task<void> {
                    std::size_t kept = 0, ended = 0;
                    for (const auto& each : CorpusReader::read()) {
                        if (each.want.back().unfinished()) continue; // the probe would be a part of it
                        probed = false;
                        auto wire = co_await Wire::connect(context, address);
                        std::ignore = co_await wire->say(each.bytes + std::string(kProbe));
                        std::ignore = co_await wire->rest(); // to the end of the connection
                        const bool must_end = each.closed || each.want.back().refused();
                        EXPECT_EQ(probed, !must_end) << each.name;
                        ++(must_end ? ended : kept);
                    }
                    EXPECT_GT(kept, 100u);
                    EXPECT_GT(ended, 300u);
                });
}

} // namespace
} // namespace flotilla::http::server_corpus_test
