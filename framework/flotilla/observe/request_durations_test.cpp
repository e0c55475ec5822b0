#include <flotilla/observe/request_durations.hpp>

#include <gtest/gtest.h>

namespace flotilla::request_durations_test {
namespace {

using namespace std::chrono_literals;

// Goal: each method and status of a route is a series of its own, shared by the loops that observe it.
TEST(RequestDurations, EachMethodAndStatusIsASeries) {
    Metrics metrics;
    RequestDurations orders(metrics, "/orders/{id}");
    RequestDurations on_another_loop(metrics, "/orders/{id}");
    RequestDurations unmatched(metrics, "");
    orders.observe(Method::get, 200, 2ms);
    on_another_loop.observe(Method::get, 200, 3ms);
    orders.observe(Method::get, 404, 1ms);
    orders.observe(Method::delete_, 200, 1ms);
    unmatched.observe(Method::other, 404, 1ms);
    const auto text = metrics.prometheus_text();
    const auto has = [&](std::string_view labels, std::string_view value) {
        const auto line = "http_server_request_duration_seconds_" + std::string(labels) + " " + std::string(value);
        return text.contains(line + "\n");
    };
    EXPECT_TRUE(
        has(R"(count{http_request_method="GET",http_route="/orders/{id}",http_response_status_code="200"})", "2"));
    EXPECT_TRUE(
        has(R"(sum{http_request_method="GET",http_route="/orders/{id}",http_response_status_code="200"})", "0.005"));
    EXPECT_TRUE(
        has(R"(count{http_request_method="GET",http_route="/orders/{id}",http_response_status_code="404"})", "1"));
    EXPECT_TRUE(
        has(R"(count{http_request_method="DELETE",http_route="/orders/{id}",http_response_status_code="200"})", "1"));
    EXPECT_TRUE(has(R"(count{http_request_method="_OTHER",http_route="",http_response_status_code="404"})", "1"))
        << text;
}

} // namespace
} // namespace flotilla::request_durations_test
