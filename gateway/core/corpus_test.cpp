#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flotilla/http/http1/corpus.hpp>

#include "gateway/core/test_fleet.hpp"

namespace flotilla::gateway::corpus_test {
namespace {

using http::CorpusVerdict;

constexpr const char* kConfig = R"(
limits: {body_bytes_max: 1000}
routes:
  - match: {path: ["/", "/{rest...}"]}
    to: user-service
)";

/// "METHOD target [body]<trailer: value>": what must arrive behind the gateway. The authority there is the service's.
std::string forwarded(const CorpusVerdict& want) {
    const auto target_at = want.text.find(' ') + 1;
    const auto target_end = want.text.find(' ', target_at);
    const auto body_at = want.text.find(' ', target_end + 1);
    auto rest = want.text.substr(body_at);
    if (want.upstream_trailers) rest.replace(rest.find('<'), std::string::npos, *want.upstream_trailers);
    return want.text.substr(0, target_at) +
           want.upstream_target.value_or(want.text.substr(target_at, target_end - target_at)) + rest;
}

std::string as_it_arrived(const TestFleet::Arrived& arrived) {
    EXPECT_EQ(arrived.head.authority, "user-service");
    auto text = http::described(arrived.head, arrived.body, arrived.trailers);
    return text.erase(text.find(" user-service "), std::string_view(" user-service").size());
}

// Goal: whatever a client says, behind the gateway arrives exactly what the RFC makes of it: each valid message once
// and as it was meant, nothing of a refused one and nothing after it.
TEST(GatewayCorpus, OnlyWhatWasMeantArrivesUpstream) {
    TestFleet fleet;
    auto& arrived = fleet.serve_noting("user-service");
    fleet.start(kConfig);
    for (const auto& each : http::CorpusReader::read()) {
        arrived.clear();
        const auto statuses = http::statuses_of(fleet.send_raw(each.bytes, true));
        std::vector<std::string> want_arrived;
        std::vector<int> want_statuses;
        for (const auto& want : each.want) {
            if (want.accepted() && !want.gateway_status) want_arrived.push_back(forwarded(want));
            if (!want.unfinished())
                want_statuses.push_back(want.refused() ? want.status : want.gateway_status.value_or(200));
        }
        // A body that the end of the connection cuts may be answered (RFC 9112 §8).
        if (each.want.back().unfinished() && statuses.size() > want_statuses.size()) want_statuses.push_back(400);
        std::vector<std::string> whole;
        for (const auto& one : arrived) {
            if (one.body != TestFleet::kCut) whole.push_back(as_it_arrived(one));
        }
        EXPECT_THAT(whole, testing::ElementsAreArray(want_arrived)) << each.name;
        EXPECT_THAT(statuses, testing::ElementsAreArray(want_statuses)) << each.name;
    }
}

} // namespace
} // namespace flotilla::gateway::corpus_test
