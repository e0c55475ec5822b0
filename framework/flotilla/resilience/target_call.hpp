#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/time_spent.hpp>
#include <flotilla/http/exchange.hpp>
#include <flotilla/http/outgoing_call.hpp>
#include <flotilla/resilience/retry_schedule.hpp>
#include <flotilla/resilience/targets.hpp>

namespace flotilla {

/// What kind of call it is.
struct CallTraits {
    /// Doing it twice is doing it once: its method is idempotent, or it carries a key.
    bool repeatable = false;
    /// A body that streams for as long as its source likes: bounded per instance, see kUploadsMax.
    bool upload = false;
    RetryProfile profile = RetryProfile::in_request;
    /// Of the endpoint (Target::options_of); null: the target's. Needed until the call is made, not longer.
    const TargetOptions* options = nullptr;
    /// stable_hash() of what consistent_hash goes by; else it goes by what the target's options name (hash_by).
    std::optional<std::uint64_t> key = {};
    /// What its time counts as. `calls`: all of it, tries and waits included, under the name. Else its tries, up to the
    /// answer's head, under the instance's name, and finding a connection as TimeSpent::On::connection.
    TimeSpent::On time = TimeSpent::On::calls;
    http::OutgoingCall::Name name = {};
};

/// One call to a target with all its tries, and the only place that decides about another one. Its steps, in order:
///  1. bulkhead     a place among the target's calls under way, once for all tries
///  2. wait         the backoff, when there is no other instance left
///  3. instances    as the registry knows them now; the first of a service is waited for
///  4. pick         the balancer's choice among those this call has not tried
///  5. connect      from the pool or anew, in half of what remains while there is another instance; when that fails the
///                  next one is taken at once: nothing was sent
///  6. time         half of what remains while there is another instance to try, else all of it
///  7. try          its own span; sent, and the head of the answer awaited
///  8. outcome      told to balancer and breaker: what says something of the instance, and what does not
///  9. again        see again(): safe to repeat, another try can help, the schedule and the budget have one left
///
/// Lives in the frame of whoever calls. On the warm path nothing is allocated but the connection's exchange.
/// Thread-safety: none; one loop.
class TargetCall {
public:
    TargetCall(Targets& targets, Target& target, Context& context, CallTraits traits);
    TargetCall(const TargetCall&) = delete;
    TargetCall& operator=(const TargetCall&) = delete;
    ~TargetCall();

    /// Sends a whole request and waits for the head of an answer, with as many tries as it takes. An answer that only
    /// another try could better (5xx) is given when there is none. Errors: no_instance(), circuit_open, the failure of
    /// the last try, unavailable `target_busy`, the context's reason.
    task<Result<const http::ResponseHead*>> send(http::RequestHead& head, std::string_view body);
    /// Connects the next try to an instance, for who sends himself: begin(), then answered() or failed(). Errors: as
    /// send().
    task<Result<http::ClientExchange*>> connect(const http::RequestHead& head);
    /// The head of a request that goes out now gets what belongs to this try.
    void begin(http::RequestHead& head);
    /// The context that bounds the try until its answer's head is there. Requires: connected.
    Context& try_context() { return attempt_ ? *attempt_ : context_; }
    /// Makes this a second try beside one that is under way: at another instance, out of the retry budget. False: there
    /// is none, or no budget. Requires: nothing was sent.
    bool begin_beside(const TargetCall& first);
    /// The head of the answer has come.
    void answered(const http::ResponseHead& head);
    /// The try ended without its answer, or with half of it. True: there is another, so call send() or connect() again.
    /// safe: it can be done once more, since nothing of it was carried out or doing so twice is the same.
    bool failed(const Error& error, bool safe);

    const CallTraits& traits() const { return traits_; }
    http::ClientExchange& exchange() { return *exchange_; }
    const TargetInstance& instance() const { return *instance_; }
    /// What was wrong with the last try that got no answer; null: each got one.
    const Error* last_failure() const { return last_failure_ ? &*last_failure_ : nullptr; }
    /// The same with what was wrong with which instance, all that were tried. Requires: last_failure().
    Error all_failures() const;
    /// A connection was made at least once.
    bool reached() const { return reached_; }
    /// How many tries have left, or begun to.
    int sent() const { return sent_; }

private:
    enum class Sent : bool { no, yes };

    void take_key(const http::RequestHead& head);
    task<Result<void>> place();
    task<Result<void>> connect_to_next();
    Error no_pick(NoPick why) const;
    bool take_answer(const http::ResponseHead& head);
    Duration connect_max() const;
    void begin_attempt();
    void end_try();
    void report(CallOutcome outcome, Duration retry_after = {});
    void note(Error error, LogLevel level);
    bool other_left() const;
    bool again(bool safe, Sent sent, std::string_view why, Duration retry_after);

    Targets& targets_;
    Target& target_;
    Context& context_;
    const CallTraits traits_;
    RetrySchedule schedule_;
    std::optional<std::uint64_t> key_;
    std::optional<http::OutgoingCall> outgoing_;
    std::optional<FifoSemaphore::Permit> permit_;
    std::optional<FifoSemaphore::Permit> upload_;
    std::optional<RetryBudget::Permit> retry_;
    Duration wait_{};
    TargetInstancePtr instance_;
    BalancedCall call_;
    std::unique_ptr<http::ClientExchange> exchange_;
    std::optional<Context> attempt_;
    Instant began_{};
    unsigned stale_ = 0; ///< kept connections that had been closed
    bool reached_ = false;
    int sent_ = 0;
    std::vector<const InstanceState*> tried_;
    std::vector<TargetInstancePtr> kept_; ///< so that the above stay
    std::optional<Error> last_failure_;
    TargetInstancePtr failed_at_; ///< the one that it is about
    std::string before_;          ///< of all_failures(): those before the last
};

} // namespace flotilla
