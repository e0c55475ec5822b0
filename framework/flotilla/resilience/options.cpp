#include <flotilla/resilience/options.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/base/text.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;

constexpr std::array kPolicies{
    std::pair(BalancingPolicy::peak_ewma, std::string_view("peak_ewma")),
    std::pair(BalancingPolicy::round_robin, std::string_view("round_robin")),
    std::pair(BalancingPolicy::random, std::string_view("random")),
    std::pair(BalancingPolicy::weighted, std::string_view("weighted")),
    std::pair(BalancingPolicy::least_requests, std::string_view("least_requests")),
    std::pair(BalancingPolicy::consistent_hash, std::string_view("consistent_hash")),
};

// How each kind of value is read, written and named in messages. read: nothing when the text is no such value.

struct Time {
    using Value = Duration;
    Duration min, max;
    std::optional<Duration> read(std::string_view text) const {
        const auto value = parse_duration(text);
        if (!value || *value < min || *value > max) return std::nullopt;
        return *value;
    }
    static std::string write(Duration value) { return to_string(value); }
    std::string expected() const { return "a duration from " + to_string(min) + " to " + to_string(max); }
};

struct Count {
    using Value = std::uint32_t;
    std::uint32_t min, max;
    std::optional<std::uint32_t> read(std::string_view text) const {
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
        return value;
    }
    static std::string write(std::uint32_t value) { return std::to_string(value); }
    std::string expected() const { return fmt::format("a whole number from {} to {}", min, max); }
};

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

struct Number {
    using Value = double;
    double min, max;
    std::optional<double> read(std::string_view text) const {
        const auto value = number_of(text);
        return value && *value >= min && *value <= max ? value : std::nullopt;
    }
    static std::string write(double value) { return fmt::format("{}", value); }
    std::string expected() const { return fmt::format("a number from {} to {}", min, max); }
};

struct Part {
    using Value = double;
    double min, max;
    std::optional<double> read(std::string_view text) const {
        const bool percent = text.ends_with('%');
        auto value = number_of(percent ? text.substr(0, text.size() - 1) : text);
        if (value && percent) *value /= 100;
        return value && *value >= min && *value <= max ? value : std::nullopt;
    }
    static std::string write(double value) { return fmt::format("{}%", std::round(value * 1e6) / 1e4); }
    std::string expected() const { return "a part from " + write(min) + " to " + write(max); }
};

struct Flag {
    using Value = bool;
    std::optional<bool> read(std::string_view text) const {
        if (text == "true") return true;
        if (text == "false") return false;
        return std::nullopt;
    }
    static std::string write(bool value) { return value ? "true" : "false"; }
    std::string expected() const { return "true or false"; }
};

struct Policy {
    using Value = BalancingPolicy;
    std::optional<BalancingPolicy> read(std::string_view text) const {
        const auto found = std::ranges::find(kPolicies, text, [](const auto& each) { return each.second; });
        return found == kPolicies.end() ? std::nullopt : std::optional(found->first);
    }
    static std::string write(BalancingPolicy value) { return std::string(name(value)); }
    std::string expected() const {
        std::string names;
        for (const auto& each : kPolicies)
            names.append(names.empty() ? "one of " : ", ").append(each.second);
        return names;
    }
};

struct KeySource {
    using Value = std::string;
    std::optional<std::string> read(std::string_view text) const {
        constexpr std::string_view kind = kHashByHeader;
        if (text.starts_with(kind) && text.size() > kind.size() && text.size() <= 200) return std::string(text);
        return text.empty() ? std::optional<std::string>("") : std::nullopt;
    }
    static std::string write(const std::string& value) { return value; }
    std::string expected() const { return "header:NAME"; }
};

/// A value of a kind, and where it is.
template <class Kind>
struct Setting {
    using Member = typename Kind::Value& (*)(TargetOptions& options);
    Kind kind;
    Member member;
};

struct Entry {
    std::string_view key;
    std::variant<Setting<Time>, Setting<Count>, Setting<Number>, Setting<Part>, Setting<Flag>, Setting<Policy>,
                 Setting<KeySource>>
        setting;
};

template <class Kind, class Member>
constexpr Setting<Kind> at(Kind kind, Member member) {
    return {kind, member};
}

// The key is the member's path, so it is written once.
#define FLOTILLA_OPTION(group, value, kind)                                                                            \
    Entry {                                                                                                            \
        #group "." #value, at(kind, [](TargetOptions& all) -> auto& { return all.group.value; })                       \
    }

const std::array kEntries{
    FLOTILLA_OPTION(breaker, failures, (Count{1, 1'000'000})),
    FLOTILLA_OPTION(breaker, success_rate_min, (Part{0, 1})),
    FLOTILLA_OPTION(breaker, calls_min, (Count{1, 1'000'000})),
    FLOTILLA_OPTION(breaker, window, (Time{1s, 1h})),
    FLOTILLA_OPTION(breaker, open, (Time{1ms, 24h})),
    FLOTILLA_OPTION(breaker, open_max, (Time{1ms, 24h})),
    FLOTILLA_OPTION(breaker, probes, (Count{1, 1000})),
    FLOTILLA_OPTION(breaker, probe_successes, (Count{1, 1000})),
    FLOTILLA_OPTION(breaker, probe_timeout, (Time{1ms, 1h})),
    FLOTILLA_OPTION(availability, out_max, (Part{0, 1})),
    FLOTILLA_OPTION(availability, panic, Flag{}),
    FLOTILLA_OPTION(balancing, policy, Policy{}),
    FLOTILLA_OPTION(balancing, hash_by, KeySource{}),
    FLOTILLA_OPTION(balancing, latency_floor, (Time{0s, 10s})),
    FLOTILLA_OPTION(balancing, latency_decay, (Time{1ms, 1h})),
    FLOTILLA_OPTION(balancing, failure_penalty, (Number{0, 1e6})),
    FLOTILLA_OPTION(balancing, failure_decay, (Time{1ms, 1h})),
    FLOTILLA_OPTION(balancing, zone_healthy_min, (Part{0, 2})),
    FLOTILLA_OPTION(balancing, slow_start, (Time{0s, 1h})),
    FLOTILLA_OPTION(retry, retries, (Count{0, 100})),
    FLOTILLA_OPTION(retry, backoff, (Time{1ms, 1min})),
    FLOTILLA_OPTION(retry, backoff_max, (Time{1ms, 1h})),
    FLOTILLA_OPTION(retry, background_backoff, (Time{1ms, 1h})),
    FLOTILLA_OPTION(retry, background_backoff_max, (Time{1ms, 24h})),
    FLOTILLA_OPTION(budget, ratio, (Part{0, 10})),
    FLOTILLA_OPTION(budget, window, (Time{1s, 1h})),
    FLOTILLA_OPTION(bulkhead, concurrency, (Count{1, 1'000'000})),
    FLOTILLA_OPTION(bulkhead, queue, (Count{0, 1'000'000})),
    FLOTILLA_OPTION(hedging, enabled, Flag{}),
    FLOTILLA_OPTION(hedging, quantile, (Part{0.5, 0.9999})),
    FLOTILLA_OPTION(hedging, delay_min, (Time{0s, 1h})),
    FLOTILLA_OPTION(hedging, calls_min, (Count{1, 1'000'000})),
    FLOTILLA_OPTION(timeouts, call, (Time{1ms, 24h})),
    FLOTILLA_OPTION(timeouts, attempt, (Time{1ms, 24h})),
    FLOTILLA_OPTION(timeouts, resolve, (Time{0s, 1h})),
};

#undef FLOTILLA_OPTION

Error wrong(std::string message) { return {Kind::invalid, "invalid_configuration", std::move(message)}; }

} // namespace

std::string_view name(BalancingPolicy policy) {
    return std::ranges::find(kPolicies, policy, [](const auto& each) { return each.first; })->second;
}

Result<void> set_target_option(TargetOptions& options, std::string_view key, std::string_view value) {
    const auto entry = std::ranges::find(kEntries, key, &Entry::key);
    if (entry == kEntries.end()) {
        return wrong("there is no option '" + shortened(key) + "'" + did_you_mean(key, target_option_keys()));
    }
    return std::visit(
        [&](const auto& setting) -> Result<void> {
            auto read = setting.kind.read(value);
            if (!read) {
                return wrong(std::string(key) + " must be " + setting.kind.expected() + ", found '" + shortened(value) +
                             "'");
            }
            setting.member(options) = std::move(*read);
            return {};
        },
        entry->setting);
}

Result<void> check_target_options(const TargetOptions& options) {
    const std::array<std::array<std::string_view, 2>, 3> ordered{{
        {"breaker.open", "breaker.open_max"},
        {"retry.backoff", "retry.backoff_max"},
        {"retry.background_backoff", "retry.background_backoff_max"},
    }};
    auto values = options; // a setting's member is a mutable one
    const auto value = [&](std::string_view key) {
        return std::get<Setting<Time>>(std::ranges::find(kEntries, key, &Entry::key)->setting).member(values);
    };
    for (const auto& [shorter, longer] : ordered) {
        if (value(shorter) <= value(longer)) continue;
        return wrong(fmt::format("{} ({}) must not be longer than {} ({})", shorter, to_string(value(shorter)), longer,
                                 to_string(value(longer))));
    }
    if (!options.balancing.hash_by.empty() && options.balancing.policy != BalancingPolicy::consistent_hash) {
        return wrong("balancing.hash_by (" + shortened(options.balancing.hash_by) +
                     ") needs balancing.policy consistent_hash, found " + std::string(name(options.balancing.policy)));
    }
    return {};
}

bool is_option_of_calls(std::string_view key) {
    // How long the first instance is waited for is the target's affair.
    return key != "timeouts.resolve" &&
           (key.starts_with("retry.") || key.starts_with("hedging.") || key.starts_with("timeouts."));
}

bool is_changeable_option(std::string_view key) { return !key.starts_with("bulkhead.") && key != "budget.window"; }

const std::vector<std::string_view>& target_option_keys() {
    static const std::vector<std::string_view> keys = [] {
        std::vector<std::string_view> all;
        for (const auto& entry : kEntries)
            all.push_back(entry.key);
        return all;
    }();
    return keys;
}

void for_each_target_option(const TargetOptions& options,
                            const std::function<void(std::string_view, const std::string&)>& visit) {
    auto values = options;
    for (const auto& entry : kEntries) {
        std::visit([&](const auto& setting) { visit(entry.key, setting.kind.write(setting.member(values))); },
                   entry.setting);
    }
}

} // namespace flotilla
