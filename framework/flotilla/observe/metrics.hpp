#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/base/duration.hpp>

namespace flotilla {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// A number that only grows. Thread-safe.
class Counter {
public:
    void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// A number that goes up and down. Thread-safe.
class Gauge {
public:
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    void add(std::int64_t amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

/// Counts observations in buckets with fixed upper bounds. Thread-safe.
class Histogram {
public:
    explicit Histogram(std::span<const double> bounds);
    void observe(double value);
    void observe(Duration duration) { observe(std::chrono::duration<double>(duration).count()); }

    std::span<const double> bounds() const { return bounds_; }
    /// Count per bucket (not cumulative), the last one above every bound.
    std::uint64_t bucket(std::size_t index) const { return buckets_[index].load(std::memory_order_relaxed); }
    double sum() const { return sum_.load(std::memory_order_relaxed); }

private:
    std::vector<double> bounds_;
    std::vector<std::atomic<std::uint64_t>> buckets_;
    std::atomic<double> sum_{0};
};

/// OpenTelemetry's bucket bounds for request durations, in seconds: 5 ms .. 10 s.
std::span<const double> duration_bounds();

/// A gauge that is read at scrape time, as long as this object lives: its destructor waits for a reading under way.
/// Movable.
class ObservedGauge {
public:
    struct Reader;
    explicit ObservedGauge(std::shared_ptr<Reader> reader) : reader_(std::move(reader)) {}
    ObservedGauge(ObservedGauge&&) = default;
    ObservedGauge& operator=(ObservedGauge&& other) noexcept;
    ~ObservedGauge();

private:
    std::shared_ptr<Reader> reader_;
};

/// The metrics of a process: created once with fixed labels, then updated without a lock. Names are OpenTelemetry's in
/// Prometheus spelling (http_server_request_duration_seconds). Asking again for the same name and labels gives the same
/// instrument. References stay valid as long as the registry. Thread-safe.
class Metrics {
public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {},
                         std::span<const double> bounds = duration_bounds());
    /// A gauge read at scrape time until the result is destroyed; read must be thread-safe. Observing the same name and
    /// labels again replaces what was there.
    [[nodiscard]] ObservedGauge observe(std::string_view name, std::string_view help, const Labels& labels,
                                        std::function<double()> read);

    /// Prometheus text exposition format 0.0.4.
    std::string prometheus_text() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla
