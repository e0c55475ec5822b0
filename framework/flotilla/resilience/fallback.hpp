#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <flotilla/aio/context.hpp>
#include <flotilla/observe/metrics.hpp>
#include <flotilla/resilience/retry_schedule.hpp>
#include <flotilla/resilience/single_flight.hpp>

namespace flotilla {

/// An error that says that a service is out, not that it has answered: unavailable, bad_gateway, deadline_exceeded,
/// internal, exhausted. A user who was not found is an answer, for which there is no fallback.
bool is_outage(const Error& error);

/// What becomes of an answer, beside that it is given.
enum class Keeping : unsigned char {
    keep,   ///< it stands in for a later one
    forget, ///< it does not, and nor does what was answered before: that is no longer so
    leave   ///< it says nothing: what was answered before stays
};

template <class T>
struct FallbackOptions {
    /// How old the last good answer for a key may be to stand in for one that did not come; zero: it never does.
    Duration age_max{};
    /// An answer so young is given without a call; zero: each call is made (or joined).
    Duration fresh_for{};
    /// Answers that are kept; those not asked for the longest go first.
    std::size_t entries_max = 1000;
    /// When there is no last good answer: what is answered instead. The default, or what the function gives; with
    /// neither, and when the function fails, the error of the call is the outcome.
    std::optional<T> otherwise{};
    std::function<task<Result<T>>(Context& context, std::string key)> otherwise_by{};
    /// Which errors it is for. Another one is an answer: what was answered before it is forgotten.
    bool (*applies)(const Error& error) = &is_outage;
    /// Which answers are kept; null: all.
    Keeping (*keeping)(const T& answer) = nullptr;
    /// While there is something to answer instead, a further try of the call is not waited for longer than this: not
    /// for a Retry-After of seconds, but for a short backoff.
    Duration wait_max = std::chrono::milliseconds(100);
};

/// Where an answer comes from.
enum class AnsweredBy : unsigned char {
    call,      ///< the service, now
    recent,    ///< the service, a moment ago (fresh_for)
    last_good, ///< the service, before it stopped answering
    otherwise  ///< the fallback's default or function
};

template <class T>
struct FallbackAnswer {
    T value;
    AnsweredBy by = AnsweredBy::call;
    Duration age{};                ///< since the service answered it: for the header Age; zero for otherwise
    std::optional<Error> failed{}; ///< why the service did not answer now
    /// The service did not say so now: say it to the client (Warning: 110, or a field).
    bool stale() const { return by == AnsweredBy::last_good || by == AnsweredBy::otherwise; }
};

/// Counts the stale answers of a place that calls a service: its owner adds to it.
Counter& stale_answers(Metrics& metrics, std::string_view upstream);

/// How often each was answered, for metrics.
struct FallbackCounts {
    std::uint64_t calls = 0, recent = 0, last_good = 0, otherwise = 0;
    std::uint64_t failed = 0; ///< with the error: there was nothing to answer instead
};

/// What one place that calls a service answers when that does not: the last good answer of the same key, or a default,
/// or what a function gives. A thousand who miss the same key make one call.
///
///     auto product = co_await must(products_.call(context, id, [&](Context& own) { return fetch_product(own, id); }));
///     if (product.stale()) ...
///
/// Thread-safety: none; one per call site and loop. Requires: outlives the calls in it. T can be copied.
template <class T>
class Fallback {
public:
    explicit Fallback(FallbackOptions<T> options) : options_(std::move(options)) {}

    /// Errors: those of the call that the fallback is not for, or for which it has nothing; the context's reason when
    /// the caller has gone.
    template <class Call>
        requires std::same_as<std::invoke_result_t<Call&, Context&>, task<Result<T>>>
    task<Result<FallbackAnswer<T>>> call(Context& context, std::string key, Call call) {
        const Instant now = context.world().monotonic();
        if (const auto* kept = find(key, options_.fresh_for, now)) {
            ++counts_.recent;
            co_return FallbackAnswer<T>{kept->value, AnsweredBy::recent, now - kept->at};
        }
        auto outcome = co_await flights_.run(context, key, [&](Context& own) { return make_and_keep(own, key, call); });
        if (outcome) {
            ++counts_.calls;
            co_return FallbackAnswer<T>{std::move(*outcome)};
        }
        co_return co_await instead(context, std::move(key), std::move(outcome.error()));
    }

    /// Forgets the answer of a key, when the caller knows that it is no longer true.
    void forget(const std::string& key) {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return;
        entries_.erase(found->second);
        by_key_.erase(found);
    }
    std::size_t size() const { return entries_.size(); }
    const FallbackCounts& counts() const { return counts_; }

private:
    struct Entry {
        std::string key;
        T value;
        Instant at;
    };
    using Entries = std::list<Entry>; // the one asked for last first

    template <class Call>
    task<Result<T>> make_and_keep(Context& context, const std::string& key, Call& call) {
        std::optional<Context> limited; // a child: others may hang something on theirs meanwhile
        StandsIn limit{options_.wait_max};
        std::optional<Carried<StandsIn>> carried;
        if (stands_in(key, context.world().monotonic())) carried.emplace(limited.emplace(context), limit);
        auto outcome = co_await call(limited ? *limited : context);
        if (!outcome) co_return outcome;
        const auto keeping = options_.keeping == nullptr ? Keeping::keep : options_.keeping(*outcome);
        if (keeping == Keeping::keep) keep(key, *outcome, context.world().monotonic());
        if (keeping == Keeping::forget) forget(key);
        co_return outcome;
    }

    bool stands_in(const std::string& key, Instant now) {
        return options_.otherwise || options_.otherwise_by || find(key, options_.age_max, now) != nullptr;
    }

    task<Result<FallbackAnswer<T>>> instead(Context& context, std::string key, Error why) {
        if (!options_.applies(why)) {
            if (why.kind() != Kind::cancelled) forget(key); // a caller that left is no answer
            co_return failed(std::move(why));
        }
        const Instant now = context.world().monotonic();
        if (const auto* kept = find(key, options_.age_max, now)) {
            ++counts_.last_good;
            co_return FallbackAnswer<T>{kept->value, AnsweredBy::last_good, now - kept->at, std::move(why)};
        }
        std::optional<T> other = options_.otherwise;
        if (!other && options_.otherwise_by) {
            if (auto made = co_await options_.otherwise_by(context, std::move(key))) other.emplace(std::move(*made));
        }
        if (!other) co_return failed(std::move(why));
        ++counts_.otherwise;
        co_return FallbackAnswer<T>{std::move(*other), AnsweredBy::otherwise, Duration::zero(), std::move(why)};
    }

    Error failed(Error why) {
        ++counts_.failed;
        return why;
    }

    /// The answer if it is younger, and marks it as asked for.
    const Entry* find(const std::string& key, Duration age_max, Instant now) {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return nullptr;
        entries_.splice(entries_.begin(), entries_, found->second);
        return now - found->second->at < age_max ? &*found->second : nullptr;
    }

    void keep(const std::string& key, const T& value, Instant now) {
        if (std::max(options_.age_max, options_.fresh_for) == Duration::zero()) return;
        forget(key);
        entries_.push_front({key, value, now});
        by_key_.emplace(key, entries_.begin());
        while (entries_.size() > options_.entries_max)
            forget(std::string(entries_.back().key));
    }

    FallbackOptions<T> options_;
    SingleFlight<T> flights_;
    Entries entries_;
    std::unordered_map<std::string, typename Entries::iterator> by_key_;
    FallbackCounts counts_;
};

} // namespace flotilla
