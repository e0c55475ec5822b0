#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <flotilla/aio/semaphore.hpp>

namespace flotilla {

/// One call at a time for each key: who asks while it is under way gets a copy of its outcome. Nothing is kept
/// afterwards. Each waits within a context of its own. The call runs in the context of the first; when that one is
/// cancelled (its deadline, its caller left) the next in line makes the call anew, in its own.
/// Thread-safety: none; one per loop. Requires: outlives the calls in it. T can be copied.
template <class T>
class SingleFlight {
public:
    /// Those who wait for one call; further ones are refused (`unavailable`).
    static constexpr std::size_t kWaitingMax = 10'000;

    /// Errors: those of call; the context's reason; unavailable when too many wait.
    template <class Call>
        requires std::same_as<std::invoke_result_t<Call&, Context&>, task<Result<T>>>
    task<Result<T>> run(Context& context, std::string key, Call call) {
        auto& slot = flights_[key];
        if (!slot) slot = std::make_shared<Flight>();
        const auto flight = slot;
        const Departure departure{*this, flight, key};
        // Whoever holds the permit makes the call; the others find its outcome when they get it, or make it themselves.
        const auto permit = co_await must(flight->turn.acquire(context));
        if (flight->outcome) co_return *flight->outcome;
        auto outcome = co_await call(context);
        const bool awaited = flight.use_count() > 2; // by others than this caller and the map
        if (awaited && !context.cancelled()) flight->outcome.emplace(outcome);
        co_return outcome;
    }
    /// Keys with a call under way.
    std::size_t size() const { return flights_.size(); }

private:
    struct Flight {
        FifoSemaphore turn{1, kWaitingMax};
        std::optional<Result<T>> outcome;
    };
    using FlightPtr = std::shared_ptr<Flight>;

    /// Of one caller, also when its coroutine is destroyed. Once there is an outcome, whoever comes later makes a call
    /// of its own; without one the flight goes with the last who waited for it.
    struct Departure {
        SingleFlight& owner;
        const FlightPtr& flight;
        const std::string& key;
        ~Departure() {
            const bool last = flight.use_count() == 2; // this caller's, and the map's
            if (!flight->outcome && !last) return;
            const auto found = owner.flights_.find(key);
            if (found != owner.flights_.end() && found->second == flight) owner.flights_.erase(found);
        }
    };

    std::map<std::string, FlightPtr, std::less<>> flights_;
};

} // namespace flotilla
