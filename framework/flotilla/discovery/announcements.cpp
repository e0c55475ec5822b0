#include <flotilla/discovery/announcements.hpp>

#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {

Announcements::Announcements(World& world, Telemetry& telemetry, InstanceAnnouncer& announcer, std::string registry,
                             Duration ttl)
    : world_(world), telemetry_(telemetry), announcer_(announcer), registry_(registry), ttl_(ttl),
      outage_(world, telemetry, std::move(registry), "announce",
              {"the registry does not take the heartbeat", "the registry takes the heartbeat again"}) {}

void Announcements::add(Instance instance) {
    all_.push_back(std::make_unique<Announcement>());
    all_.back()->instance = std::move(instance);
    if (scope_) scope_->spawn(beat(scope_->context(), *all_.back()));
}

void Announcements::start(Scope& scope) {
    scope_ = &scope;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (!all_[i]->withdrawn && !all_[i]->beating) scope.spawn(beat(scope.context(), *all_[i]));
    }
}

task<Result<void>> Announcements::beat_once(Context& context, Announcement& announcement) {
    const auto& instance = announcement.instance;
    if (announcement.enrolled) announcement.enrolled = co_await must(announcer_.heartbeat(context, instance));
    if (announcement.enrolled) co_return Result<void>();
    co_await must(announcer_.enrol(context, instance));
    announcement.enrolled = true;
    telemetry_.log.info(context, "announced", {{"instance", instance.id}, {"registry", registry_}});
    co_return Result<void>();
}

task<void> Announcements::beat(Context& context, Announcement& announcement) {
    Backoff backoff = retry_pace();
    announcement.beating = true;
    while (!context.cancelled() && !announcement.withdrawn) {
        auto done = co_await beat_once(context, announcement);
        if (context.cancelled() || announcement.withdrawn) break;
        announcement.error = done ? std::nullopt : std::optional(done.error());
        Duration pause = jittered(world_, ttl_ / 3, 0.1);
        if (done) {
            outage_.answered(announcement.failing);
            backoff.reset();
        } else {
            outage_.failed(announcement.failing, done.error());
            pause = std::min(pause, backoff.next(world_.random()));
        }
        Context pausing(context, pause);
        // Ends with the pause, with stop, or with the context: each is looked at above.
        (void)co_await announcement.stop.wait(pausing);
    }
    announcement.beating = false;
    announcement.stopped.notify_all();
}

task<Result<void>> Announcements::deregister(Context& context, Announcement& announcement) {
    announcement.withdrawn = true;
    announcement.stop.notify();
    // A registration in flight would land after ours and bring the instance back.
    while (announcement.beating)
        co_await must(announcement.stopped.wait(context));
    co_return co_await announcer_.deregister(context, announcement.instance);
}

task<Result<void>> Announcements::withdraw(Context& context) {
    Result<void> outcome;
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (all_[i]->withdrawn) continue;
        auto done = co_await deregister(context, *all_[i]);
        if (!done) outcome = std::move(done);
    }
    co_return outcome;
}

const Error* Announcements::error() const {
    for (const auto& each : all_) {
        if (each->error && !each->withdrawn) return &*each->error;
    }
    return nullptr;
}

} // namespace flotilla
