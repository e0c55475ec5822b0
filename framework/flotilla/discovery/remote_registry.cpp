#include <flotilla/discovery/remote_registry.hpp>

#include <flotilla/discovery/registry_errors.hpp>
#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {

RemoteRegistry::RemoteRegistry(World& world, Telemetry& telemetry, std::unique_ptr<RegistryDriver> driver,
                               RegistryOptions options)
    : world_(world), telemetry_(telemetry), driver_(std::move(driver)), url_(options.url),
      cache_(world, telemetry.log, options.cache_file),
      outage_(world, telemetry, url_, "watch",
              {"the registry does not answer; using the last known instances", "the registry answers again"}),
      shared_{world, telemetry.metrics, cache_, outage_, options.settling} {
    if (auto* announcer = driver_->announcer()) announcements_.emplace(world, telemetry, *announcer, url_, options.ttl);
}

// Announcing ------------------------------------------------------------------------------------------------------

void RemoteRegistry::announce(Instance instance) {
    if (announcements_) return announcements_->add(std::move(instance));
    telemetry_.log.info("not announced: this registry learns of instances from whoever runs them",
                        {{"instance", instance.id}, {"registry", url_}});
}

task<Result<void>> RemoteRegistry::withdraw(Context& context) {
    if (!announcements_) co_return Result<void>();
    co_return co_await announcements_->withdraw(context);
}

// Watching --------------------------------------------------------------------------------------------------------

WatchedService& RemoteRegistry::watch(std::string_view service) {
    if (const auto found = watched_.find(service); found != watched_.end()) return *found->second;
    auto name = ServiceName::parse(service);
    auto made = std::make_unique<WatchedService>(
        shared_, std::string(service), name ? std::move(*name) : ServiceName{.service = std::string(service)});
    auto& watched = *watched_.emplace(service, std::move(made)).first->second;
    if (!name) {
        telemetry_.log.warning("a service is not looked for", {{"reason", name.error().message()}});
        watched.refuse(std::move(name.error()));
    } else if (scope_) {
        scope_->spawn(follow(scope_->context(), watched));
    }
    return watched;
}

Instances RemoteRegistry::instances(std::string_view service) { return watch(service).instances(); }

task<Result<Instances>> RemoteRegistry::resolve(Context& context, std::string service) {
    co_await must(context.check());
    auto& watched = watch(service);
    while (!watched.answered() && watched.instances()->empty()) {
        if (watched.refused()) co_return *watched.error();
        co_await must(watched.changed(context));
    }
    if (watched.instances()->empty()) co_return no_instance(service);
    co_return watched.instances();
}

task<void> RemoteRegistry::follow(Context& context, WatchedService& service) {
    Backoff backoff = retry_pace();
    while (!context.cancelled()) {
        const auto followed = co_await driver_->follow(context, service);
        if (context.cancelled()) co_return;
        Duration pause = jittered(world_, kAskingPace, 0.5);
        if (!followed) {
            if (!service.failing()) backoff.reset();
            service.fail(followed.error());
            pause = backoff.next(world_.random());
        }
        // Ends early with the context, which the loop looks at.
        (void)co_await sleep_for(context, pause);
    }
}

task<void> RemoteRegistry::run(Context& context) {
    Scope scope(context);
    scope_ = &scope;
    scope.spawn(cache_.run(scope.context()));
    scope.spawn(driver_->run(scope.context()));
    if (announcements_) announcements_->start(scope);
    for (const auto& [text, service] : watched_) {
        if (!service->refused()) scope.spawn(follow(scope.context(), *service));
    }
    Event never;
    while (!context.cancelled())
        (void)co_await never.wait(context); // its error is the cancellation the loop looks at
    scope_ = nullptr;
    if (announcements_) announcements_->stop();
    co_await scope.join();
}

Result<void> RemoteRegistry::health() const {
    if (const auto* error = announcements_ ? announcements_->error() : nullptr) return *error;
    for (const auto& [text, service] : watched_) {
        if (service->error()) return *service->error();
    }
    return {};
}

} // namespace flotilla
