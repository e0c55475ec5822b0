#include <flotilla/resilience/target_call.hpp>

#include <algorithm>
#include <array>

#include <flotilla/http/attempts.hpp>
#include <flotilla/http/problem.hpp>

namespace flotilla {
namespace {

/// Kept connections to one instance may all have been closed; but who closes new ones as well is at fault.
constexpr unsigned kStaleMax = 3;
constexpr Duration kRetryAfter = std::chrono::seconds(1);
constexpr Duration kUnreachableLogInterval = std::chrono::seconds(1);

/// Nobody's fault: a server closes connections that nobody uses.
bool is_stale(const http::ClientExchange& exchange, const Error& error) {
    return exchange.may_be_stale() && (error.code() == "connection_stale" || error.code() == "no_response" ||
                                       error.code() == "request_not_taken" || error.code() == "unsolicited_response");
}

std::size_t uploads_ahead(const InstanceState& state) {
    const auto& uploads = static_cast<const TargetInstance&>(state).uploads;
    return uploads.available() > 0 ? 0 : 1 + uploads.waiting();
}

/// What may be over in a moment, or at another instance. 501, 505, 508 and others of the kind are not.
/// Nor is 429: a quota is the caller's affair.
bool is_transient(int status) { return status == 500 || (status >= 502 && status <= 504); }

CallOutcome outcome_of(const http::ResponseHead& head, Duration retry_after) {
    if (head.status < 500 && head.status != 429) return CallOutcome::success;
    if (head.status == 429 || (head.status == 503 && retry_after > Duration::zero())) return CallOutcome::overloaded;
    return is_transient(head.status) && !http::says_no_retry(head.headers) ? CallOutcome::failure
                                                                           : CallOutcome::ignored;
}

RetryLimits limits_of(const Context& context) {
    RetryLimits limits{.spent = http::attempts_spent(context)};
    if (const auto* other = context.carried<StandsIn>()) limits.wait_max = other->wait_max;
    return limits;
}

} // namespace

TargetCall::TargetCall(Targets& targets, Target& target, Context& context, CallTraits traits)
    : targets_(targets), target_(target), context_(context), traits_(traits),
      schedule_(traits.profile, traits.options == nullptr ? target.options() : *traits.options, context.deadline(),
                limits_of(context)) {
    if (traits_.time == TimeSpent::On::calls) outgoing_.emplace(context, traits_.time, traits_.name);
}

TargetCall::~TargetCall() { end_try(); }

task<Result<const http::ResponseHead*>> TargetCall::send(http::RequestHead& head, std::string_view body) {
    take_key(head);
    while (true) {
        co_await must(connect_to_next());
        begin(head);
        const auto sent = co_await exchange_->send_whole(try_context(), head, body);
        std::optional<Error> why;
        // A server may answer (413, say) and stop reading, so a write that failed does not mean there is no response.
        if (sent || sent.error().kind() == Kind::unavailable) {
            auto received = co_await exchange_->receive(try_context());
            if (received && take_answer(**received)) co_return *received;
            if (received) continue;
            if (sent) why = std::move(received.error());
        }
        if (!why) why = sent.error();
        // A request that was not sent completely cannot have been carried out.
        if (!failed(*why, traits_.repeatable || !sent)) co_return *last_failure_;
    }
}

/// What consistent_hash goes by.
void TargetCall::take_key(const http::RequestHead& head) {
    key_ = traits_.key;
    const auto& balancing = target_.options().balancing;
    if (key_ || balancing.policy != BalancingPolicy::consistent_hash || balancing.hash_by.empty()) return;
    const auto name = std::string_view(balancing.hash_by).substr(kHashByHeader.size());
    if (const auto value = head.headers.get(name)) key_ = stable_hash(*value);
}

task<Result<http::ClientExchange*>> TargetCall::connect(const http::RequestHead& head) {
    take_key(head);
    co_await must(connect_to_next());
    co_return exchange_.get();
}

task<Result<void>> TargetCall::connect_to_next() {
    std::optional<TimeSpent::Interval> waiting;
    if (traits_.time != TimeSpent::On::calls) waiting.emplace(context_, TimeSpent::On::connection);
    end_try();
    if (!permit_) permit_ = target_.permits_.try_acquire();
    if (!permit_ || wait_ > Duration::zero()) co_await must(place());
    if (auto retry = std::exchange(retry_, std::nullopt)) retry->use(targets_.world_.monotonic());
    targets_.refresh(target_);
    if (target_.instances_.empty()) co_await must(targets_.wait_for_instances(context_, target_));
    while (true) {
        const auto now = targets_.world_.monotonic();
        const auto pick = target_.balancer_.pick({.tried = tried_,
                                                  .key = key_,
                                                  .may_probe = traits_.repeatable,
                                                  .ahead = traits_.upload ? &uploads_ahead : nullptr},
                                                 now, targets_.world_.random());
        target_.tell_panic(context_);
        if (pick.instance == nullptr) co_return no_pick(pick.why);
        instance_ = static_cast<TargetInstance*>(pick.instance)->shared_from_this();
        call_ = target_.balancer_.begin(*instance_, now);
        target_.tell_change(context_, *instance_);
        if (traits_.upload) upload_ = co_await must(instance_->uploads.acquire(context_));
        const bool in_time = !context_.cancelled();
        auto opened = co_await targets_.client_.open(context_, instance_->address, connect_max());
        if (opened) {
            exchange_ = std::move(*opened);
            reached_ = true;
            begin_attempt();
            co_return Result<void>();
        }
        if (context_.cancelled()) {
            if (context_.reason().kind() == Kind::deadline_exceeded) {
                target_.figures_.count_failure(context_.reason().code());
                if (in_time) report(CallOutcome::failure);
            }
            co_return context_.reason();
        }
        note(std::move(opened.error()), LogLevel::warning);
        report(CallOutcome::failure);
        if (!again(true, Sent::no, last_failure_->code(), {})) co_return *last_failure_;
        end_try();
        if (wait_ > Duration::zero()) co_await must(place());
        if (auto retry = std::exchange(retry_, std::nullopt)) retry->use(targets_.world_.monotonic());
    }
}

/// Waits until the call, or its next try, may begin.
task<Result<void>> TargetCall::place() {
    if (const auto wait = std::exchange(wait_, Duration::zero()); wait > Duration::zero())
        co_await must(sleep_for(context_, wait));
    if (permit_) co_return Result<void>();
    auto permit = co_await target_.permits_.acquire(context_);
    if (permit) {
        permit_ = std::move(*permit);
        co_return Result<void>();
    }
    if (context_.cancelled()) co_return std::move(permit.error());
    co_return Error(Kind::unavailable, "target_busy",
                    "too many calls of " + target_.service_ + " are under way or wait already")
        .with_retry_after(kRetryAfter);
}

Error TargetCall::no_pick(NoPick why) const {
    if (why == NoPick::circuit_open) {
        return Error(Kind::unavailable, "circuit_open",
                     "Circuit breaker is OPEN for all instances of " + target_.service_)
            .with_retry_after(kRetryAfter);
    }
    if (last_failure_) return *last_failure_;
    return Error(Kind::unavailable, "no_instance", "no instance of " + target_.service_ + " is available")
        .with_retry_after(kRetryAfter);
}

/// As of a try, but even of a call that may not be repeated: nothing is sent before.
Duration TargetCall::connect_max() const {
    const auto now = targets_.world_.monotonic();
    return schedule_.attempt_deadline(now, target_.instances_.size() > 1).remaining(now);
}

/// While there is another instance it gets half of what remains: should it hang, there is time for that one.
void TargetCall::begin_attempt() {
    attempt_.reset();
    const auto now = targets_.world_.monotonic();
    const bool repeatable = traits_.repeatable && target_.instances_.size() > 1 && !traits_.upload;
    const auto deadline = schedule_.attempt_deadline(now, repeatable);
    if (deadline.at != context_.deadline().at) attempt_.emplace(context_, deadline);
}

void TargetCall::begin(http::RequestHead& head) {
    ++sent_;
    if (traits_.time != TimeSpent::On::calls) outgoing_.emplace(context_, traits_.time);
    outgoing_->begin_try(head, try_context(), schedule_.spent());
    began_ = targets_.world_.monotonic();
}

void TargetCall::answered(const http::ResponseHead& head) {
    const auto retry_after = head.status < 400 ? Duration::zero() : http::retry_after(head.headers);
    target_.figures_.count_answer(head.status, targets_.world_.monotonic() - began_);
    report(outcome_of(head, retry_after), retry_after);
    attempt_.reset(); // it bounds the time until here
    if (traits_.time == TimeSpent::On::calls) return;
    outgoing_->set_name({instance_->id});
    outgoing_->end();
}

/// Whether the answer is the call's. It is not where another try follows.
bool TargetCall::take_answer(const http::ResponseHead& head) {
    answered(head);
    if (!is_transient(head.status) || http::says_no_retry(head.headers)) return true;
    return !again(traits_.repeatable, Sent::yes, "status " + std::to_string(head.status),
                  http::retry_after(head.headers));
}

bool TargetCall::failed(const Error& error, bool safe) {
    const bool late = context_.cancelled() && context_.reason().kind() == Kind::deadline_exceeded;
    if (context_.cancelled() && !late) { // whoever waited for it has gone: that says nothing
        last_failure_ = context_.reason();
        return false;
    }
    if (!late && is_stale(*exchange_, error)) {
        note(error, LogLevel::debug);
        report(CallOutcome::ignored);
        // The server had closed it; its other idle connections are no better. The instance itself may be well.
        targets_.client_.close_idle(&instance_->address);
        return safe && ++stale_ < kStaleMax;
    }
    if (late) {
        note(context_.reason(), LogLevel::warning);
    } else if (attempt_ && attempt_->cancelled()) {
        note(Error(Kind::deadline_exceeded, "attempt_timeout", "no answer in the time that this try had"),
             LogLevel::warning);
    } else {
        note(error, LogLevel::warning);
    }
    report(CallOutcome::failure);
    return again(safe, Sent::yes, last_failure_->code(), {});
}

void TargetCall::end_try() {
    exchange_.reset();
    upload_.reset(); // only now: the next one may open a connection
    attempt_.reset();
    if (!instance_) return;
    target_.balancer_.end(*instance_, call_, targets_.world_.monotonic());
    target_.tell_change(context_, *instance_);
    instance_.reset();
}

void TargetCall::report(CallOutcome outcome, Duration retry_after) {
    const auto now = targets_.world_.monotonic();
    target_.balancer_.report(*instance_, call_, outcome, retry_after, now);
    if (outcome == CallOutcome::success) target_.budget_.note_success(now);
    target_.tell_change(context_, *instance_);
}

/// A try has failed.
void TargetCall::note(Error error, LogLevel level) {
    if (last_failure_) before_ = all_failures().message() + "; ";
    last_failure_ = std::move(error).with_no_retry();
    failed_at_ = instance_;
    const auto& reason = last_failure_->code();
    target_.figures_.count_failure(reason);
    if (reason == "connect_failed") { // the same for every call until it is back
        const auto now = targets_.world_.monotonic();
        const auto last = target_.unreachable_logged_;
        if (last != Instant{} && now < last + kUnreachableLogInterval) return;
        target_.unreachable_logged_ = now;
    }
    const auto& [method, space, service, path] = traits_.name;
    const auto what = std::string(method) + std::string(space) + std::string(path);
    const std::array fields{LogField{"upstream", target_.service_}, LogField{"instance", instance_->id},
                            LogField{"reason", reason}, LogField{"error", last_failure_->message()},
                            LogField{"call", what}};
    target_.telemetry_.log.write(level, &context_.trace, "an instance gave no usable answer",
                                 std::span(fields).first(what.empty() ? 4 : 5));
}

Error TargetCall::all_failures() const {
    return Error(*last_failure_).with_context(before_ + (failed_at_ ? "calling " + failed_at_->id : "calling"));
}

bool TargetCall::other_left() const {
    const auto usable = target_.balancer_.availability().usable();
    return std::ranges::any_of(usable, [&](const InstanceState* each) {
        return each != instance_.get() && std::ranges::find(tried_, each) == tried_.end();
    });
}

bool TargetCall::begin_beside(const TargetCall& first) {
    if (!first.instance_ || !first.other_left()) return false;
    retry_ = target_.budget_.try_acquire(targets_.world_.monotonic());
    if (!retry_) {
        target_.figures_.count_refused_retry();
        return false;
    }
    tried_ = first.tried_;
    tried_.push_back(first.instance_.get());
    kept_ = first.kept_;
    kept_.push_back(first.instance_);
    schedule_.count_beside(first.schedule_);
    target_.figures_.count_hedge();
    return true;
}

/// Whether there is another try. The steps of the decision:
/// - only what is safe to repeat, and while somebody waits for it;
/// - where nothing was sent the next instance is free of charge: it costs the target nothing;
/// - the schedule: so many tries, and a wait when all instances were tried;
/// - the budget, so that retries add a tenth to the load at most.
bool TargetCall::again(bool safe, Sent sent, std::string_view why, Duration retry_after) {
    const bool other = other_left();
    tried_.push_back(instance_.get());
    kept_.push_back(instance_);
    if (!safe || context_.cancelled()) return false;
    if (sent == Sent::no && other) return true;
    const auto now = targets_.world_.monotonic();
    const auto next = schedule_.next(now, other, retry_after, targets_.world_.random());
    const std::array fields{LogField{"upstream", target_.service_}, LogField{"instance", instance_->id},
                            LogField{"reason", why}};
    if (!next.retry) {
        target_.telemetry_.log.write(LogLevel::warning, &context_.trace, describe(next.why_not), fields);
        return false;
    }
    retry_ = target_.budget_.try_acquire(now);
    if (!retry_) {
        target_.figures_.count_refused_retry();
        return false;
    }
    wait_ = next.wait;
    if (!other) tried_.clear();
    target_.figures_.count_retry();
    const auto waits = std::chrono::duration_cast<std::chrono::milliseconds>(next.wait).count();
    const auto message = "Retry attempt " + std::to_string(next.number) + " after " + std::to_string(waits) + "ms";
    target_.telemetry_.log.write(LogLevel::info, &context_.trace, message, fields);
    return true;
}

} // namespace flotilla
