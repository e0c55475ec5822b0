#include <flotilla/observe/metrics.hpp>

#include <array>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace flotilla::metrics_test {
namespace {

// Goal: the text is exactly what Prometheus' format 0.0.4 asks: HELP and TYPE once per name, escaped, sorted,
// cumulative.
TEST(Metrics, PrometheusTextWithEveryKindGivesGoldenText) {
    Metrics metrics;
    metrics.counter("requests_total", "Requests\nby \\ route.", {{"route", "/a"}, {"code", "200"}}).add(3);
    metrics.counter("requests_total", "Requests\nby \\ route.", {{"route", "say \"hi\"\\\n"}, {"code", "500"}}).add();
    metrics.gauge("queue_depth", "Waiting.").set(-2);
    const auto temperature = metrics.observe("temperature", "Now.", {{"at", "core"}}, [] { return 1.5; });
    const std::array<double, 2> bounds{0.1, 1};
    auto& histogram = metrics.histogram("latency_seconds", "Time.", {{"m", "GET"}}, bounds);
    for (const double value : {0.05, 0.1, 0.5, 5.0})
        histogram.observe(value);

    EXPECT_EQ(metrics.prometheus_text(), R"(# HELP latency_seconds Time.
# TYPE latency_seconds histogram
latency_seconds_bucket{m="GET",le="0.1"} 2
latency_seconds_bucket{m="GET",le="1"} 3
latency_seconds_bucket{m="GET",le="+Inf"} 4
latency_seconds_sum{m="GET"} 5.65
latency_seconds_count{m="GET"} 4
# HELP queue_depth Waiting.
# TYPE queue_depth gauge
queue_depth -2
# HELP requests_total Requests\nby \\ route.
# TYPE requests_total counter
requests_total{route="/a",code="200"} 3
requests_total{route="say \"hi\"\\\n",code="500"} 1
# HELP temperature Now.
# TYPE temperature gauge
temperature{at="core"} 1.5
)");
}

// Goal: an unlabelled histogram has only `le` in its buckets, and durations count in seconds.
TEST(Metrics, ObserveDurationWithoutLabelsCountsSeconds) {
    Metrics metrics;
    const std::array<double, 1> bounds{0.5};
    metrics.histogram("t_seconds", "T.", {}, bounds).observe(std::chrono::milliseconds(250));
    EXPECT_EQ(metrics.prometheus_text(),
              "# HELP t_seconds T.\n# TYPE t_seconds histogram\nt_seconds_bucket{le=\"0.5\"} 1\n"
              "t_seconds_bucket{le=\"+Inf\"} 1\nt_seconds_sum 0.25\nt_seconds_count 1\n");
}

// Goal: asking twice gives the same instrument; other labels another.
TEST(Metrics, CounterAskedTwiceIsTheSame) {
    Metrics metrics;
    EXPECT_EQ(&metrics.counter("a_total", "A", {{"x", "1"}}), &metrics.counter("a_total", "A", {{"x", "1"}}));
    EXPECT_NE(&metrics.counter("a_total", "A", {{"x", "1"}}), &metrics.counter("a_total", "A", {{"x", "2"}}));
}

// Goal: mistakes of the programmer are refused at once.
TEST(Metrics, MisuseThrows) {
    Metrics metrics;
    metrics.counter("a_total", "A");
    EXPECT_THROW(metrics.gauge("a_total", "A"), std::invalid_argument);
    EXPECT_THROW(metrics.counter("a-b", "A"), std::invalid_argument);
    EXPECT_THROW(metrics.counter("b_total", "B", {{"le:x", "1"}}), std::invalid_argument);
    const std::array<double, 2> falling{2, 1};
    EXPECT_THROW(metrics.histogram("h", "H", {}, falling), std::invalid_argument);
}

// Goal: a reader that uses the registry itself does not lock up a scrape.
TEST(Metrics, ReaderThatAddsInstrumentsDoesNotDeadlock) {
    Metrics metrics;
    const auto observed = metrics.observe("a", "A", {}, [&] {
        metrics.counter("b_total", "B").add();
        return 1.0;
    });
    EXPECT_NE(metrics.prometheus_text().find("a 1\n"), std::string::npos);
}

// Goal: an observed gauge is read as long as its owner lives and no longer, and may be observed anew.
TEST(Metrics, ObservedGaugeEndsWithItsOwner) {
    Metrics metrics;
    {
        const auto observed = metrics.observe("a", "A", {}, [] { return 1.0; });
        EXPECT_TRUE(metrics.prometheus_text().contains("a 1\n"));
    }
    EXPECT_FALSE(metrics.prometheus_text().contains("a 1\n"));
    auto observed = metrics.observe("a", "A", {}, [] { return 2.0; });
    EXPECT_TRUE(metrics.prometheus_text().contains("a 2\n"));
    observed = metrics.observe("b", "B", {}, [] { return 3.0; });
    EXPECT_FALSE(metrics.prometheus_text().contains("a 2\n"));
    EXPECT_TRUE(metrics.prometheus_text().contains("b 3\n"));
}

// Goal: instruments added and updated by several threads during scrapes lose nothing.
TEST(Metrics, AddConcurrentlyLosesNothing) {
    Metrics metrics;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&metrics, t] {
            for (int i = 0; i < 500; ++i) {
                metrics.counter("shared_total", "S", {{"i", std::to_string(i % 50)}}).add();
                metrics.gauge("own", "O", {{"thread", std::to_string(t)}, {"i", std::to_string(i)}}).add(1);
                metrics.histogram("h_seconds", "H").observe(0.2);
                if (i % 100 == 0) (void)metrics.prometheus_text();
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    std::uint64_t total = 0;
    for (int i = 0; i < 50; ++i)
        total += metrics.counter("shared_total", "S", {{"i", std::to_string(i)}}).value();
    EXPECT_EQ(total, 2000u);
    EXPECT_NE(metrics.prometheus_text().find("h_seconds_count 2000\n"), std::string::npos);
}

} // namespace
} // namespace flotilla::metrics_test
