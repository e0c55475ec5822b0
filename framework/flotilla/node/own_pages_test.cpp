#include <flotilla/node/own_pages.hpp>

#include <flotilla/base/json_value.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::own_pages_test {
namespace {

using namespace std::chrono_literals;

boost::json::value body_of(const std::string& response) {
    const auto at = response.find("\r\n\r\n");
    auto body = json::parse_value(std::string_view(response).substr(at + 4));
    if (!body) throw std::runtime_error("not JSON: " + response);
    return *body;
}

/// What a server of own pages alone answers to each of the request lines.
std::vector<std::string> answers(OwnPages& pages, std::vector<std::string> request_lines) {
    std::vector<std::string> all;
    const auto answer = [&pages](Context& context, http::Exchange& exchange) {
        return pages.answer(context, exchange, exchange.request().path());
    };
    http::with_server({}, answer, [&](Context& context, http::Server&, Address address) -> task<void> {
        for (const auto& line : request_lines) {
            auto wire = co_await http::Wire::connect(context, address);
            co_await wire->say(line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            all.push_back(co_await wire->rest());
        }
    });
    return all;
}

std::string status_line(const std::string& response) { return response.substr(0, response.find("\r\n")); }

// Goal: alive, ready and healthy are three questions, each answered with the same report.
TEST(OwnPages, ReportDecidesEachStatus) {
    Metrics metrics;
    HealthReport report{.status = "degraded"};
    report.checks["bus"] = {"failed", "no connection"};
    OwnPages pages({"order-service", "", "0.1.0"}, [&report] { return report; }, metrics);
    pages.set_instance("order-service-3002");

    auto degraded = answers(pages, {"GET /livez", "GET /readyz", "GET /healthz"});
    EXPECT_EQ(status_line(degraded[0]), "HTTP/1.1 200 OK");
    EXPECT_EQ(body_of(degraded[0]).at("status"), "ok");
    EXPECT_EQ(status_line(degraded[1]), "HTTP/1.1 200 OK");
    EXPECT_EQ(status_line(degraded[2]), "HTTP/1.1 503 Service Unavailable");
    for (const auto i : {1U, 2U}) {
        const auto body = body_of(degraded[i]);
        EXPECT_EQ(body.at("status"), "degraded");
        EXPECT_EQ(body.at("service"), "order-service");
        EXPECT_EQ(body.at("instance"), "order-service-3002");
        EXPECT_EQ(body.at("version"), "0.1.0");
        EXPECT_EQ(body.at("checks").at("bus").at("detail"), "no connection");
    }
    report.status = "unavailable";
    auto unavailable = answers(pages, {"GET /livez", "GET /readyz"});
    EXPECT_EQ(status_line(unavailable[0]), "HTTP/1.1 200 OK");
    EXPECT_EQ(status_line(unavailable[1]), "HTTP/1.1 503 Service Unavailable");
}

// Goal: pages are read and nothing else, and no cache keeps them.
TEST(OwnPages, AnswerReadsOnly) {
    Metrics metrics;
    metrics.counter("tries_total", "Tries.").add();
    OwnPages pages({"a", "b", "c"}, [] { return HealthReport{.status = "ok"}; }, metrics);
    for (const auto& path : pages.paths()) {
        const auto responses = answers(pages, {"GET " + path, "HEAD " + path, "DELETE " + path});
        EXPECT_EQ(status_line(responses[0]), "HTTP/1.1 200 OK") << path;
        EXPECT_NE(responses[0].find("\r\ncache-control: no-store\r\n"), std::string::npos) << responses[0];
        EXPECT_EQ(status_line(responses[1]), "HTTP/1.1 200 OK") << path;
        EXPECT_TRUE(responses[1].ends_with("\r\n\r\n")) << responses[1];
        EXPECT_EQ(status_line(responses[2]), "HTTP/1.1 405 Method Not Allowed") << path;
        EXPECT_NE(responses[2].find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << responses[2];
    }
    const auto options = answers(pages, {"OPTIONS *"})[0];
    EXPECT_EQ(status_line(options), "HTTP/1.1 204 No Content");
    EXPECT_NE(options.find("\r\nallow: DELETE, GET, HEAD,"), std::string::npos) << options;
    const auto scraped = answers(pages, {"GET /metrics"})[0];
    EXPECT_NE(scraped.find("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"), std::string::npos);
    EXPECT_NE(scraped.find("\ntries_total 1\n"), std::string::npos) << scraped;
}

// Goal: a document is a page as the others are, from the moment its path is claimed; its text may follow.
TEST(OwnPages, DocumentsAreClaimedBeforeTheyAreWritten) {
    Metrics metrics;
    OwnPages pages({"a", "b", "c"}, [] { return HealthReport{.status = "ok"}; }, metrics);
    EXPECT_FALSE(pages.has("/openapi.json"));
    pages.add_document("/openapi.json", "application/json", "");
    pages.add_document("/openapi.json", "application/json", R"({"openapi":"3.1.0"})");
    EXPECT_TRUE(pages.has("/openapi.json"));
    EXPECT_EQ(pages.paths().size(), 5U);
    EXPECT_EQ(body_of(answers(pages, {"GET /openapi.json"})[0]).at("openapi"), "3.1.0");
}

// Goal: a page is made anew for each request, so that it tells what is so now.
TEST(OwnPages, PageIsMadeForEachRequest) {
    Metrics metrics;
    OwnPages pages({"order-service", "", "0.1.0"}, [] { return HealthReport{.status = "ok"}; }, metrics);
    int asked = 0;
    pages.add_page("/count", "text/plain", [&asked] { return "asked " + std::to_string(++asked); });
    const auto said = answers(pages, {"GET /count", "GET /count", "POST /count"});
    EXPECT_TRUE(said[0].ends_with("\r\n\r\nasked 1")) << said[0];
    EXPECT_TRUE(said[1].ends_with("\r\n\r\nasked 2")) << said[1];
    EXPECT_EQ(status_line(said[2]), "HTTP/1.1 405 Method Not Allowed");
}

} // namespace
} // namespace flotilla::own_pages_test
