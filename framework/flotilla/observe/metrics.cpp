#include <flotilla/observe/metrics.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <stdexcept>
#include <variant>

#include <fmt/format.h>

namespace flotilla {

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), buckets_(bounds.size() + 1) {
    if (!std::is_sorted(bounds_.begin(), bounds_.end(), std::less_equal<>())) {
        throw std::invalid_argument("histogram bounds must rise strictly");
    }
}

void Histogram::observe(double value) {
    // Upper bounds are inclusive: a bucket `le="0.1"` counts 0.1.
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::span<const double> duration_bounds() {
    // OpenTelemetry semantic conventions, http.server.request.duration.
    static constexpr std::array<double, 14> kBounds{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                    0.5,   0.75, 1,     2.5,  5,     7.5, 10};
    return kBounds;
}

struct ObservedGauge::Reader {
    std::mutex lock;
    std::function<double()> read; ///< null: its owner has gone
};

ObservedGauge::~ObservedGauge() {
    if (!reader_) return;
    const std::lock_guard guard(reader_->lock);
    reader_->read = nullptr;
}

ObservedGauge& ObservedGauge::operator=(ObservedGauge&& other) noexcept {
    const ObservedGauge ended(std::exchange(reader_, std::exchange(other.reader_, nullptr)));
    return *this;
}

namespace {

using Reader = ObservedGauge::Reader;
/// unique_ptr: references to instruments stay valid while families grow. Readers are shared with a running scrape.
using Instrument =
    std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>, std::shared_ptr<Reader>>;

enum class Type : unsigned char { counter, gauge, histogram, observed };

std::string_view text_of(Type type) {
    switch (type) {
    case Type::counter:
        return "counter";
    case Type::histogram:
        return "histogram";
    case Type::gauge:
    case Type::observed:
        return "gauge";
    }
    return "untyped";
}

struct Family {
    std::string help;
    Type type;
    std::vector<double> bounds;
    std::map<std::string, Instrument> instruments; // by rendered labels: `a="1",b="2"`
};

bool valid_name(std::string_view name, bool colon_allowed) {
    const auto letter = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon_allowed && c == ':');
    };
    if (name.empty() || !letter(name.front())) return false;
    return std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
}

std::string render(const Labels& labels) {
    std::string out;
    for (const auto& [name, value] : labels) {
        if (!valid_name(name, false) || name.starts_with("__"))
            throw std::invalid_argument("not a label name: " + name);
        if (!out.empty()) out += ',';
        out += name;
        out += "=\"";
        append_escaped(out, value, true);
        out += '"';
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

template <class Value>
void append_sample(std::string& out, std::string_view name, std::string_view suffix, std::string_view labels,
                   const Value& value) {
    auto into = std::back_inserter(out);
    if (labels.empty()) {
        fmt::format_to(into, "{}{} {}\n", name, suffix, value);
    } else {
        fmt::format_to(into, "{}{}{{{}}} {}\n", name, suffix, labels, value);
    }
}

void append_histogram(std::string& out, std::string_view name, const std::string& labels, const Histogram& histogram) {
    const auto bounds = histogram.bounds();
    const std::string_view comma = labels.empty() ? "" : ",";
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
        count += histogram.bucket(i);
        const auto bound = i < bounds.size() ? number(bounds[i]) : "+Inf";
        append_sample(out, name, "_bucket", fmt::format("{}{}le=\"{}\"", labels, comma, bound), count);
    }
    append_sample(out, name, "_sum", labels, number(histogram.sum()));
    append_sample(out, name, "_count", labels, count); // what the buckets said, even while others observe
}

/// What a scrape reads after it let go of the lock; instruments live as long as the registry.
struct Sample {
    std::string labels;
    std::variant<const Counter*, const Gauge*, const Histogram*, std::shared_ptr<Reader>> source;
};

void append(std::string& out, std::string_view name, const Sample& sample) {
    struct Visitor {
        std::string& out;
        std::string_view name;
        const std::string& labels;
        void operator()(const Counter* counter) const { append_sample(out, name, "", labels, counter->value()); }
        void operator()(const Gauge* gauge) const { append_sample(out, name, "", labels, gauge->value()); }
        void operator()(const Histogram* histogram) const { append_histogram(out, name, labels, *histogram); }
        void operator()(const std::shared_ptr<Reader>& reader) const {
            const std::lock_guard guard(reader->lock);
            if (reader->read) append_sample(out, name, "", labels, number(reader->read()));
        }
    };
    std::visit(Visitor{out, name, sample.labels}, sample.source);
}

} // namespace

struct Metrics::Impl {
    mutable std::mutex lock;
    std::map<std::string, Family, std::less<>> families;

    /// Requires: lock held.
    Family& family(std::string_view name, std::string_view help, Type type, std::span<const double> bounds = {}) {
        auto found = families.find(name);
        if (found == families.end()) {
            if (!valid_name(name, true)) throw std::invalid_argument("not a metric name: " + std::string(name));
            found =
                families.emplace(std::string(name), Family{std::string(help), type, {bounds.begin(), bounds.end()}, {}})
                    .first;
        }
        auto& result = found->second;
        if (result.type != type) throw std::invalid_argument("metric of another type exists: " + std::string(name));
        if (!std::ranges::equal(result.bounds, bounds))
            throw std::invalid_argument("histogram with other bounds exists: " + std::string(name));
        return result;
    }

    template <class T, class... Arguments>
    T& instrument(Family& family, const Labels& labels, const Arguments&... arguments) {
        auto key = render(labels);
        auto found = family.instruments.find(key);
        if (found == family.instruments.end()) {
            found = family.instruments.emplace(std::move(key), std::make_unique<T>(arguments...)).first;
        }
        return *std::get<std::unique_ptr<T>>(found->second);
    }

    std::vector<Sample> samples(const Family& family) const {
        std::vector<Sample> result;
        result.reserve(family.instruments.size());
        for (const auto& [labels, instrument] : family.instruments) {
            auto& sample = result.emplace_back(Sample{labels, {}});
            if (auto* counter = std::get_if<std::unique_ptr<Counter>>(&instrument))
                sample.source = counter->get();
            else if (auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&instrument))
                sample.source = gauge->get();
            else if (auto* histogram = std::get_if<std::unique_ptr<Histogram>>(&instrument))
                sample.source = histogram->get();
            else
                sample.source = std::get<std::shared_ptr<Reader>>(instrument);
        }
        return result;
    }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::counter(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard guard(impl_->lock);
    return impl_->instrument<Counter>(impl_->family(name, help, Type::counter), labels);
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard guard(impl_->lock);
    return impl_->instrument<Gauge>(impl_->family(name, help, Type::gauge), labels);
}

Histogram& Metrics::histogram(std::string_view name, std::string_view help, const Labels& labels,
                              std::span<const double> bounds) {
    const std::lock_guard guard(impl_->lock);
    return impl_->instrument<Histogram>(impl_->family(name, help, Type::histogram, bounds), labels, bounds);
}

ObservedGauge Metrics::observe(std::string_view name, std::string_view help, const Labels& labels,
                               std::function<double()> read) {
    auto reader = std::make_shared<Reader>();
    reader->read = std::move(read);
    const std::lock_guard guard(impl_->lock);
    impl_->family(name, help, Type::observed).instruments[render(labels)] = reader;
    return ObservedGauge(std::move(reader));
}

std::string Metrics::prometheus_text() const {
    struct Snapshot {
        std::string name, help;
        Type type;
        std::vector<Sample> samples;
    };
    std::vector<Snapshot> families;
    {
        const std::lock_guard guard(impl_->lock);
        for (const auto& [name, family] : impl_->families)
            families.push_back({name, family.help, family.type, impl_->samples(family)});
    }
    // Readers run without the lock: they may take locks of their own.
    std::string out;
    for (const auto& family : families) {
        fmt::format_to(std::back_inserter(out), "# HELP {} ", family.name);
        append_escaped(out, family.help, false);
        fmt::format_to(std::back_inserter(out), "\n# TYPE {} {}\n", family.name, text_of(family.type));
        for (const auto& sample : family.samples)
            append(out, family.name, sample);
    }
    return out;
}

} // namespace flotilla
