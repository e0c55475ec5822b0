#include <flotilla/saga/driver.hpp>

#include <algorithm>
#include <set>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/saga/advance.hpp>
#include <flotilla/saga/saga_table.hpp>
#include <flotilla/saga/watch.hpp>

namespace flotilla::saga {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetryMin = 100ms;
constexpr Duration kRetryMax = 5s;
/// The wall clock decides what is due and may jump: look again at least that often.
constexpr Duration kLookEvery = 60s;
/// How long the database may take to note what was cut short while the host stops.
constexpr Duration kReleaseTimeout = 10s;

/// A bug in a service's function is an error of that step, not the end of all sagas.
Result<std::shared_ptr<const void>> request_of(const detail::Act& act, std::string_view state) {
    try {
        return act.request(state);
    } catch (const std::exception& bug) {
        return Error(Kind::internal, std::string("the request's function threw: ") + bug.what());
    }
}

} // namespace

struct Driver::Impl {
    World& world;
    Tenure& tenure;
    Database& database;
    const Families families;
    const Caller caller;
    Logger log;
    Metrics& metrics;
    const DriverOptions options;
    Watch watch;
    std::map<std::pair<std::string, std::string>, Counter*> counters; ///< by saga and event
    std::set<std::string, std::less<>> in_hand;
    bool full = false; ///< there is more than may be in hand
    std::string database_error;
    Event wake;
    Timer timer{world, [](void* self) { static_cast<Impl*>(self)->wake.notify(); }, this};

    Impl(World& w, Tenure& t, Families f, Caller c, Telemetry& telemetry, DriverOptions o)
        : world(w), tenure(t), database(t.database()), families(std::move(f)), caller(std::move(c)), log(telemetry.log),
          metrics(telemetry.metrics), options(o), watch(w, t, telemetry, o.keep) {}

    task<void> work(Scope& scope);
    task<void> recover(Context& context);
    task<Duration> round(Scope& scope);
    task<Result<std::optional<Timestamp>>> take_due(Scope& scope);
    task<Result<void>> take_up(Scope& scope, std::string id);
    task<void> drive(Context& context, Instance saga);
    task<std::optional<Advanced>> advance(Context& context, Instance saga, std::optional<Outcome> outcome);
    task<Outcome> call(Context& parent, Instance saga);
    task<void> release();

    std::shared_ptr<Occasion> occasion_of(Instance saga, std::optional<Outcome> outcome);
    void tell(const Instance& before, const Advanced& advanced);
    void note_failure(const Context& context, std::string_view what, const Error& error);
    void look_at(const Instance& saga);
};

Driver::Driver(World& world, Tenure& tenure, Families families, Caller caller, Telemetry& telemetry,
               DriverOptions options)
    : impl_(std::make_unique<Impl>(world, tenure, std::move(families), std::move(caller), telemetry, options)) {}
Driver::~Driver() = default;

Result<void> Driver::health() const {
    if (!impl_->database_error.empty())
        return Error(Kind::unavailable, "the database does not serve the sagas: " + impl_->database_error);
    return impl_->watch.health();
}

task<void> Driver::run(Context& context) {
    co_await scoped(context, [this](Scope& scope) { return impl_->work(scope); });
    if (!impl_->tenure.lost()) co_await impl_->release();
}

task<void> Driver::Impl::work(Scope& scope) {
    Context& context = scope.context();
    co_await recover(context);
    const auto subscription = database.on_signal(table::kSignal, [this] { wake.notify(); });
    while (!context.cancelled()) {
        timer.arm(world.monotonic() + co_await round(scope));
        if (!co_await wake.wait(context)) break;
    }
    timer.disarm();
}

task<void> Driver::Impl::recover(Context& context) {
    Backoff backoff(kRetryMin, kRetryMax);
    while (!context.cancelled()) {
        const auto recovered = co_await tenure.transact(context, table::Recover{tenure.epoch()});
        if (recovered && *recovered > 0)
            log.info(context, "sagas were under way when their driver ended", {{"sagas", *recovered}});
        if (recovered) co_return;
        note_failure(context, "cannot look after the sagas yet", recovered.error());
        if (!co_await sleep_for(context, backoff.next(world.random()))) co_return;
    }
}

/// Takes up what is due and there is room for. Returns when to look again at the latest.
task<Duration> Driver::Impl::round(Scope& scope) {
    auto next = co_await take_due(scope);
    if (next) {
        if (auto looked = co_await watch.look(scope.context()); !looked) next = std::move(looked.error());
    }
    if (!next) {
        note_failure(scope.context(), "cannot take up sagas", next.error());
        co_return kRetryMin * 5;
    }
    database_error.clear();
    auto wait = std::min(kLookEvery, watch.wait());
    if (*next) wait = std::min<Duration>(wait, **next - world.now());
    co_return std::max<Duration>(wait, 0ns);
}

/// When the next one is due that is not yet.
task<Result<std::optional<Timestamp>>> Driver::Impl::take_due(Scope& scope) {
    // Those in hand may be due as well, and one more tells what comes next.
    const auto count = static_cast<std::int64_t>(options.concurrency + 1);
    full = in_hand.size() >= options.concurrency;
    if (full) co_return std::optional<Timestamp>(); // whichever ends first wakes us
    const auto due = co_await must(table::first_due(scope.context(), database, count));
    for (const auto& each : due) {
        if (each.due_at > world.now()) co_return std::optional(each.due_at);
        if (in_hand.contains(each.id)) continue;
        full = in_hand.size() >= options.concurrency;
        if (full) break;
        co_await must(take_up(scope, each.id));
    }
    co_return std::optional<Timestamp>();
}

task<Result<void>> Driver::Impl::take_up(Scope& scope, std::string id) {
    auto saga = co_await must(table::load(scope.context(), database, std::move(id)));
    if (!saga || !saga->due_at || *saga->due_at > world.now() || in_hand.contains(saga->id)) co_return Result<void>();
    in_hand.insert(saga->id);
    watch.expect();
    scope.spawn(drive(scope.context(), std::move(*saga)));
    co_return Result<void>();
}

std::shared_ptr<Occasion> Driver::Impl::occasion_of(Instance saga, std::optional<Outcome> outcome) {
    auto occasion = std::make_shared<Occasion>();
    if (const auto family = families.find(saga.definition); family != families.end()) {
        occasion->family = family->second;
        const auto version = family->second->versions.find(saga.definition_version);
        if (version != family->second->versions.end()) occasion->plan = version->second;
    }
    occasion->saga = std::move(saga);
    occasion->outcome = std::move(outcome);
    occasion->now = world.now();
    occasion->random = world.random();
    occasion->epoch = tenure.epoch();
    return occasion;
}

/// From transition to transition, as long as what follows is a call.
task<void> Driver::Impl::drive(Context& parent, Instance saga) {
    Context context(parent);
    if (const auto trace = TraceContext::parse(saga.traceparent); trace.valid()) context.trace = trace.child(world);
    const auto id = saga.id;
    std::optional<Outcome> outcome;
    // Another holder may have made its call without a word.
    if (saga.in_hand != -tenure.epoch() && awaits_call(*occasion_of(saga, {}))) saga.uncertain = true;
    bool calls = calls_at_once(*occasion_of(saga, {}));
    while (true) {
        if (calls) outcome = co_await call(context, saga);
        if (context.cancelled()) break; // release() puts it back
        auto advanced = co_await advance(context, std::move(saga), std::move(outcome));
        if (!advanced) break;
        outcome.reset();
        saga = std::move(advanced->saga);
        calls = advanced->calls;
        if (!calls) break;
    }
    in_hand.erase(id);
    look_at(saga);
}

/// Wakes the loop when it would come too late for that one, or has left others for want of room.
void Driver::Impl::look_at(const Instance& saga) {
    if (full) return wake.notify();
    if (saga.due_at && world.monotonic() + (*saga.due_at - world.now()) < timer.at()) wake.notify();
}

/// Commits a transition, however long that takes. Nothing: the context has ended, or there is no such saga any more.
task<std::optional<Advanced>> Driver::Impl::advance(Context& context, Instance saga, std::optional<Outcome> outcome) {
    Backoff backoff(kRetryMin, kRetryMax);
    auto occasion = occasion_of(std::move(saga), std::move(outcome));
    while (true) {
        const auto failure = std::make_shared<Advance::LocalFailure>();
        auto advanced = co_await tenure.transact(context, Advance(occasion, failure));
        if (advanced) {
            tell(occasion->saga, *advanced);
            co_return std::move(*advanced);
        }
        if (context.cancelled() || tenure.lost()) co_return std::nullopt;
        auto again = std::make_shared<Occasion>(*occasion);
        if (failure->error) {
            again->local.insert_or_assign(failure->step, Outcome::failed(*failure->error, false));
        } else if (advanced.error().code() == table::kMoved) {
            const auto now = co_await table::load(context, database, occasion->saga.id);
            if (!now || !*now) co_return std::nullopt; // its row is due as it is
            const auto same = [&](const Instance& moved) {
                return moved.active() && moved.step == occasion->saga.step &&
                       moved.direction == occasion->saga.direction;
            };
            again->saga = **now;
            if (same(**now))
                again->saga.uncertain = again->saga.uncertain || occasion->saga.uncertain;
            else
                again->outcome.reset(); // it came too late
        } else {
            note_failure(context, "cannot note what became of a saga", advanced.error());
            if (!co_await sleep_for(context, backoff.next(world.random()))) co_return std::nullopt;
            again->now = world.now();
        }
        occasion = std::move(again);
    }
}

task<Outcome> Driver::Impl::call(Context& parent, Instance saga) {
    const auto occasion = occasion_of(std::move(saga), {});
    const auto& its = occasion->saga;
    const Transition transition(*occasion->plan, occasion->saga, occasion->now, 0);
    const auto& act = transition.act();
    auto request = request_of(act, its.state);
    if (!request) co_return Outcome::failed(Error(Kind::internal, request.error().message()), false);
    Duration time = transition.step().options.timeout;
    if (its.deadline && its.direction == Direction::forward && !its.past_pivot)
        time = std::clamp<Duration>(*its.deadline - world.now(), 0ns, time);
    Context context(parent, time);
    const auto key = its.id + "/" + its.step + (its.direction == Direction::undo ? "/undo" : "");
    RepeatedCall repeated{.key = key};
    auto answer = co_await caller(context, *act.endpoint, request->get(), repeated);
    if (!answer) {
        const bool refused = is_refusal(answer.error());
        co_return Outcome::failed(std::move(answer.error()), repeated.sent > (refused ? 1 : 0));
    }
    if (!act.keep) co_return Outcome::done();
    auto kept = act.keep(its.state, *answer);
    if (!kept) co_return Outcome::failed(Error(Kind::bad_gateway, "broken_answer", kept.error().message()), true);
    co_return Outcome::done(std::move(*kept));
}

/// Not under the context, which has ended: whoever follows need not think that it crashed.
task<void> Driver::Impl::release() {
    Context root(world);
    Context bounded(root, kReleaseTimeout);
    const auto released = co_await tenure.transact(bounded, table::Release{tenure.epoch()});
    if (!released && !tenure.lost()) note_failure(root, "cannot put sagas back", released.error());
}

void Driver::Impl::tell(const Instance& before, const Advanced& advanced) {
    const auto trace = TraceContext::parse(before.traceparent);
    for (const auto& note : advanced.notes) {
        auto& counter = counters[{before.definition, note.event}];
        if (counter == nullptr) {
            counter = &metrics.counter("flotilla_saga_events_total", "What became of sagas and their steps",
                                       {{"saga", before.definition}, {"event", note.event}});
        }
        counter->add();
        if (note.event != "parked") continue;
        log.write(LogLevel::error, trace.valid() ? &trace : nullptr, "a saga is parked",
                  {{"saga", before.definition}, {"id", before.id}, {"step", note.step}, {"reason", note.detail}});
    }
    if (!advanced.failed) return;
    log.write(LogLevel::warning, trace.valid() ? &trace : nullptr, "Saga failed, executing compensations",
              {{"saga", before.definition},
               {"id", before.id},
               {"step", advanced.failed->step},
               {"reason", advanced.failed->detail}});
}

void Driver::Impl::note_failure(const Context& context, std::string_view what, const Error& error) {
    if (context.cancelled() || tenure.lost()) return;
    database_error = error.message();
    log.warning(context, what, {{"error", error.message()}});
}

} // namespace flotilla::saga
