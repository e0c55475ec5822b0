#include <flotilla/store/role.hpp>

#include <flotilla/aio/scope.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;
using roles::RoleRow;

/// How long the database may take to give a role up while the host stops.
constexpr Duration kReleaseTimeout = 2s;

enum class Step : unsigned char { wait, ask, take };

/// What one who waits for a role has seen of it, by its own clock.
class Watch {
public:
    /// What to do about a row seen at `now`. ended: its holder's process has.
    Step look(const RoleRow& row, bool ended, Instant now, const Role::Options& options) {
        const bool first = !seen_;
        if (first || *seen_ != row) {
            seen_ = row;
            since_ = now;
        }
        if (row.holder.empty() || ended) return Step::take;
        if (row.asked != row.answered) return now - since_ >= options.patience ? Step::take : Step::wait;
        return first || now - since_ >= options.ask_every ? Step::ask : Step::wait;
    }

private:
    std::optional<RoleRow> seen_;
    Instant since_{};
};

} // namespace

struct Role::Impl {
    World& world;
    Database& database;
    const std::string role;
    const std::string holder;
    Logger log;
    const Options options;
    Gauge& held_gauge;
    Gauge& epoch_gauge;
    Counter& refused;
    std::int64_t held = 0; ///< the epoch in which we hold it; 0: another does
    RoleRow seen;          ///< last
    bool told_standby = false;
    std::optional<Error> outage; ///< why the latest look at it failed

    Impl(World& w, Database& d, std::string r, std::string h, Telemetry& telemetry, Options o)
        : world(w), database(d), role(std::move(r)), holder(std::move(h)), log(telemetry.log), options(o),
          held_gauge(telemetry.metrics.gauge("flotilla_role_held", "1 while this host does what the role stands for",
                                             {{"role", role}})),
          epoch_gauge(telemetry.metrics.gauge("flotilla_role_epoch",
                                              "How often the role has changed hands, as last seen by this host",
                                              {{"role", role}})),
          refused(telemetry.metrics.counter("flotilla_role_refused_writes_total",
                                            "Writes that came after another host had taken the role over",
                                            {{"role", role}})) {}

    task<std::int64_t> take(Context& context);
    task<Result<std::int64_t>> try_take(Context& context, Watch& watch);
    task<void> hold(Context& context, std::int64_t epoch, const Work& work);
    task<void> keep(Context& context, Tenure& tenure, Context& holding);
    task<Result<void>> answer(Context& context, Tenure& tenure);
    task<void> release(std::int64_t epoch);
    void begin(const Context& context, std::int64_t epoch);
    void end();
    void note_seen(const Context& context, const RoleRow& row);
    void note_failure(const Context& context, const Error& error);
};

Role::Role(World& world, Database& database, std::string role, std::string holder, Telemetry& telemetry,
           Options options)
    : impl_(std::make_unique<Impl>(world, database, std::move(role), std::move(holder), telemetry, options)) {}
Role::~Role() { impl_->held_gauge.set(0); }

task<void> Role::run(Context& context, Work work) {
    while (!context.cancelled()) {
        const auto epoch = co_await impl_->take(context);
        if (epoch > 0) co_await impl_->hold(context, epoch, work);
    }
}

bool Role::held() const { return impl_->held > 0; }

std::string Role::state() const {
    if (held()) return "held, epoch " + std::to_string(impl_->held);
    if (impl_->seen.holder.empty()) return "held by nobody yet";
    return "standby behind " + impl_->seen.holder + ", epoch " + std::to_string(impl_->seen.epoch);
}

Result<void> Role::health() const {
    if (!impl_->outage) return {};
    return Error(Kind::unavailable, "cannot look after the role: " + impl_->outage->message());
}

/// Waits until the role is ours: its epoch. 0 when cancelled.
task<std::int64_t> Role::Impl::take(Context& context) {
    Watch watch;
    Event wake;
    const auto signal = database.on_signal(roles::kSignal, [&wake] { wake.notify(); });
    while (!context.cancelled()) {
        const auto epoch = co_await try_take(context, watch);
        if (epoch) outage.reset();
        if (epoch && *epoch > 0) co_return *epoch;
        if (!epoch) note_failure(context, epoch.error());
        Context bounded(context, options.look_every);
        (void)co_await wake.wait(bounded); // a signal, or it is time to look
    }
    co_return 0;
}

/// The epoch, or 0: not now.
task<Result<std::int64_t>> Role::Impl::try_take(Context& context, Watch& watch) {
    const auto row = co_await must(roles::load(context, database, role));
    const std::string session(database.session());
    const Step step = watch.look(row, database.has_ended(row.session), world.monotonic(), options);
    if (step == Step::take) {
        const auto epoch = co_await must(database.transact(context, roles::Take{role, holder, session, row}));
        co_return epoch.value_or(0);
    }
    note_seen(context, row);
    if (step == Step::ask) co_await must(database.transact(context, roles::Ask{role, row.epoch}));
    co_return std::int64_t{0};
}

task<void> Role::Impl::hold(Context& context, std::int64_t epoch, const Work& work) {
    begin(context, epoch);
    Tenure tenure(database, role, epoch, refused);
    Context holding(context);
    // It answers until the work has ended, which outlasts the stop signal.
    Context root(world);
    Scope keeping(root);
    keeping.spawn(keep(keeping.context(), tenure, holding));
    std::exception_ptr bug;
    try {
        co_await work(holding, tenure);
    } catch (...) {
        bug = std::current_exception();
    }
    keeping.cancel(Error(Kind::cancelled, "the work has ended"));
    co_await keeping.join();
    end();
    if (!tenure.lost()) co_await release(epoch);
    if (bug) std::rethrow_exception(bug);
}

/// Answers those who wait, and ends the work when one of them has taken over.
task<void> Role::Impl::keep(Context& context, Tenure& tenure, Context& holding) {
    const auto signal = database.on_signal(roles::kSignal, [&tenure] { tenure.wake.notify(); });
    while (!context.cancelled() && !tenure.lost()) {
        const auto answered = co_await answer(context, tenure);
        if (answered) outage.reset();
        if (!answered && !tenure.lost()) note_failure(context, answered.error());
        if (tenure.lost()) break;
        Context bounded(context, options.look_every);
        (void)co_await tenure.wake.wait(bounded); // a signal, a refused write, or it is time to look
    }
    if (!tenure.lost()) co_return;
    log.warning(context, "another host has taken over a role; its work ends here",
                {{"role", role}, {"epoch", tenure.epoch()}});
    holding.cancel(Error(Kind::unavailable, std::string(Tenure::kLost), "another host has taken over this work"));
}

task<Result<void>> Role::Impl::answer(Context& context, Tenure& tenure) {
    const auto row = co_await must(roles::load(context, database, role));
    seen = row;
    if (row.epoch != tenure.epoch()) tenure.end();
    if (tenure.lost() || row.asked == row.answered) co_return Result<void>();
    co_return co_await tenure.transact(context, roles::Answer{role, tenure.epoch()});
}

task<void> Role::Impl::release(std::int64_t epoch) {
    Context root(world);
    Context bounded(root, kReleaseTimeout);
    const auto released = co_await database.transact(bounded, roles::Release{role, epoch});
    if (released) {
        log.info("a role is given up", {{"role", role}, {"epoch", epoch}});
    } else {
        log.warning("could not give up a role; the next holder waits until it has missed its answer",
                    {{"role", role}, {"epoch", epoch}, {"error", released.error().message()}});
    }
}

void Role::Impl::begin(const Context& context, std::int64_t epoch) {
    held = epoch;
    told_standby = false;
    held_gauge.set(1);
    epoch_gauge.set(epoch);
    log.info(context, "this host holds a role", {{"role", role}, {"epoch", epoch}});
}

void Role::Impl::end() {
    held = 0;
    held_gauge.set(0);
}

void Role::Impl::note_seen(const Context& context, const RoleRow& row) {
    seen = row;
    epoch_gauge.set(row.epoch);
    if (std::exchange(told_standby, true)) return;
    log.info(context, "another host holds a role; waiting behind it",
             {{"role", role}, {"holder", row.holder}, {"epoch", row.epoch}});
}

void Role::Impl::note_failure(const Context& context, const Error& error) {
    if (context.cancelled() || std::exchange(outage, error)) return;
    log.warning(context, "cannot look after a role", {{"role", role}, {"error", error.message()}});
}

} // namespace flotilla
