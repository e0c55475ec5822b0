#include <flotilla/discovery/consul_registry.hpp>

#include <algorithm>
#include <charconv>

#include <flotilla/discovery/no_instance.hpp>

namespace flotilla {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(2);
constexpr Duration kPollWait = std::chrono::seconds(30);
/// What the registry may add to the wait (Consul: a sixteenth) plus the way there and back.
constexpr Duration kPollTimeout = kPollWait + kPollWait / 16 + std::chrono::seconds(5);
constexpr Duration kBackoffMin = std::chrono::milliseconds(100);
constexpr Duration kBackoffMax = std::chrono::seconds(5);
/// A registry that answers long polls at once without news is not asked more often than this.
constexpr Duration kPollPace = std::chrono::milliseconds(100);

Duration backoff(int failures) { return std::min(kBackoffMax, kBackoffMin * (1 << std::min(failures, 6))); }

Error refusal(const http::Response& response) {
    std::string text = "the registry answered " + std::to_string(response.status());
    if (!response.body.empty()) text += ": " + response.body.substr(0, 200);
    return {Kind::unavailable, "registry_refused", std::move(text)};
}

std::optional<std::uint64_t> index_of(const http::Response& response) {
    const auto text = response.head.headers.get("X-Consul-Index");
    std::uint64_t index = 0;
    if (!text) return std::nullopt;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), index);
    if (failed != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return index;
}

} // namespace

ConsulRegistry::ConsulRegistry(World& world, http::Client& http, Logger log, Address agent, RegistryOptions options)
    : world_(world), http_(http), log_(log), agent_(std::move(agent)), options_(std::move(options)),
      cache_(world, std::move(log), options_.cache_file) {}

ConsulRegistry::~ConsulRegistry() = default;

Duration ConsulRegistry::jittered(Duration around, double share) {
    const double unit = static_cast<double>(world_.random() >> 11) * 0x1.0p-53; // [0, 1)
    return std::chrono::duration_cast<Duration>(around * (1.0 - share + 2 * share * unit));
}

task<Result<http::Response>> ConsulRegistry::call(Context& context, Method method, std::string target, std::string body,
                                                  Duration timeout) {
    Context limited(context, timeout);
    http::Request request;
    request.head.method = method;
    request.head.method_name = name(method);
    request.head.target = std::move(target);
    request.head.authority = agent_.to_string();
    if (!body.empty()) request.head.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    co_return co_await http_.fetch(limited, agent_, std::move(request));
}

// Announcing ------------------------------------------------------------------------------------------------------

void ConsulRegistry::announce(Instance instance) {
    announcements_.push_back(std::make_unique<Announcement>());
    announcements_.back()->instance = std::move(instance);
    if (scope_) scope_->spawn(beat(scope_->context(), *announcements_.back()));
}

task<Result<void>> ConsulRegistry::send_registration(Context& context, Announcement& announcement) {
    auto response = co_await must(call(context, Method::put, "/v1/agent/service/register",
                                       registration_body(announcement.instance, options_.ttl), kCallTimeout));
    if (response.status() != 200) co_return refusal(response);
    announcement.registered = true;
    log_.info(context, "announced", {{"instance", announcement.instance.id}, {"registry", agent_.to_string()}});
    co_return Result<void>();
}

/// One heartbeat; registers (again) where the registry does not know the instance, and heartbeats after it, since a
/// registry that does keeps the check's last state over a registration.
task<Result<void>> ConsulRegistry::beat_once(Context& context, Announcement& announcement) {
    const auto target = "/v1/agent/check/pass/service:" + http::percent_encode(announcement.instance.id);
    const bool fresh = !announcement.registered;
    if (fresh) co_await must(send_registration(context, announcement));
    auto response = co_await must(call(context, Method::put, target, {}, kCallTimeout));
    if (response.status() == 200) co_return Result<void>();
    announcement.registered = false;
    // 404, or 500 of older versions: the registry restarted empty.
    if (fresh || (response.status() != 404 && response.status() != 500)) co_return refusal(response);
    co_await must(send_registration(context, announcement));
    auto again = co_await must(call(context, Method::put, target, {}, kCallTimeout));
    if (again.status() != 200) co_return refusal(again);
    co_return Result<void>();
}

task<void> ConsulRegistry::beat(Context& context, Announcement& announcement) {
    announcement.beating = true;
    int failures = 0;
    while (!context.cancelled() && !announcement.withdrawn) {
        auto done = co_await beat_once(context, announcement);
        if (context.cancelled() || announcement.withdrawn) break;
        const bool failed_before = announcement.error && failures > 0;
        announcement.error = done ? std::nullopt : std::optional(done.error());
        if (!done && failures++ == 0) {
            log_.warning(context, "the registry does not take the heartbeat",
                         {{"instance", announcement.instance.id}, {"reason", done.error().message()}});
        }
        if (done && failed_before)
            log_.info(context, "the registry takes the heartbeat again", {{"instance", announcement.instance.id}});
        if (done) failures = 0;
        const auto pause =
            done ? jittered(options_.ttl / 3, 0.1) : jittered(std::min(options_.ttl / 3, backoff(failures - 1)), 0.5);
        Context pausing(context, pause);
        // Ends with the pause, with stop, or with the context: each is looked at above.
        (void)co_await announcement.stop.wait(pausing);
    }
    announcement.beating = false;
    announcement.stopped.notify_all();
}

task<Result<void>> ConsulRegistry::deregister(Context& context, Announcement& announcement) {
    announcement.withdrawn = true;
    announcement.stop.notify();
    // A registration in flight would land after ours and bring the instance back.
    while (announcement.beating)
        co_await must(announcement.stopped.wait(context));
    auto response = co_await must(call(context, Method::put,
                                       "/v1/agent/service/deregister/" + http::percent_encode(announcement.instance.id),
                                       {}, kCallTimeout));
    // 404: it did not know us, or forgot.
    if (response.status() != 200 && response.status() != 404) co_return refusal(response);
    co_return Result<void>();
}

task<Result<void>> ConsulRegistry::withdraw(Context& context) {
    Result<void> outcome;
    for (std::size_t i = 0; i < announcements_.size(); ++i) {
        if (announcements_[i]->withdrawn) continue;
        auto done = co_await deregister(context, *announcements_[i]);
        if (!done) outcome = std::move(done);
    }
    co_return outcome;
}

// Watching --------------------------------------------------------------------------------------------------------

ConsulRegistry::Watch& ConsulRegistry::watch(std::string_view service) {
    if (const auto found = watches_.find(service); found != watches_.end()) return *found->second;
    auto watched = std::make_unique<Watch>();
    watched->service = service;
    const auto cached = cache_.known().find(service);
    watched->instances =
        cached != cache_.known().end() ? cached->second : std::make_shared<const std::vector<Instance>>();
    auto& result = *watched;
    watches_.emplace(service, std::move(watched));
    if (scope_) scope_->spawn(follow(scope_->context(), result));
    return result;
}

Instances ConsulRegistry::instances(std::string_view service) { return watch(service).instances; }

task<Result<Instances>> ConsulRegistry::resolve(Context& context, std::string service) {
    auto& watched = watch(service);
    while (!watched.answered && watched.instances->empty())
        co_await must(watched.changed.wait(context));
    if (watched.instances->empty()) co_return no_instance(service);
    co_return watched.instances;
}

/// Takes what the registry answered. Returns whether it was news.
bool ConsulRegistry::take(Watch& watched, std::vector<Instance> instances) {
    const bool news = !watched.answered || *watched.instances != instances;
    if (*watched.instances != instances)
        watched.instances = std::make_shared<const std::vector<Instance>>(std::move(instances));
    watched.answered = true;
    if (news) {
        cache_.put(watched.service, watched.instances);
        watched.changed.notify_all();
    }
    return news;
}

/// One long poll. Returns the index to ask with next: zero to ask for everything at once.
task<Result<std::uint64_t>> ConsulRegistry::poll(Context& context, Watch& watched, std::uint64_t index) {
    auto target = "/v1/health/service/" + http::percent_encode(watched.service) + "?passing=1";
    if (index > 0) target += "&index=" + std::to_string(index) + "&wait=" + consul_duration(kPollWait);
    const auto asked_at = world_.monotonic();
    auto response =
        co_await must(call(context, Method::get, std::move(target), {}, index > 0 ? kPollTimeout : kCallTimeout));
    if (response.status() != 200) co_return refusal(response);
    const auto answered_index = index_of(response);
    if (!answered_index)
        co_return Error(Kind::bad_gateway, "bad_registry_answer", "the registry's answer has no X-Consul-Index");
    const bool news = take(watched, co_await must(parse_health_answer(watched.service, response.body)));
    if (!news && world_.monotonic() - asked_at < kPollPace) co_await must(sleep_for(context, jittered(kPollPace, 0.5)));
    // Going backwards: the registry lost its state, and our index means nothing to it.
    co_return *answered_index < index ? 0 : *answered_index;
}

task<void> ConsulRegistry::follow(Context& context, Watch& watched) {
    std::uint64_t index = 0;
    int failures = 0;
    while (!context.cancelled()) {
        auto next = co_await poll(context, watched, index);
        if (context.cancelled()) co_return;
        if (next) {
            if (failures > 0) log_.info(context, "the registry answers again", {{"service", watched.service}});
            index = *next;
            failures = 0;
            watched.error.reset();
            continue;
        }
        if (failures == 0) {
            log_.warning(context, "the registry does not answer; using the last known instances",
                         {{"service", watched.service},
                          {"instances", watched.instances->size()},
                          {"reason", next.error().message()}});
        }
        watched.error = std::move(next.error());
        index = 0;
        // Ends early with the context, which the loop looks at.
        (void)co_await sleep_for(context, jittered(backoff(failures++), 0.5));
    }
}

task<void> ConsulRegistry::run(Context& context) {
    Scope scope(context);
    scope_ = &scope;
    scope.spawn(cache_.run(scope.context()));
    for (std::size_t i = 0; i < announcements_.size(); ++i) {
        if (!announcements_[i]->withdrawn && !announcements_[i]->beating)
            scope.spawn(beat(scope.context(), *announcements_[i]));
    }
    std::vector<Watch*> watched;
    for (const auto& [service, each] : watches_)
        watched.push_back(each.get());
    for (auto* each : watched)
        scope.spawn(follow(scope.context(), *each));
    Event never;
    while (!context.cancelled())
        (void)co_await never.wait(context); // its error is the cancellation the loop looks at
    scope_ = nullptr;
    co_await scope.join();
}

Result<void> ConsulRegistry::health() const {
    for (const auto& announcement : announcements_) {
        if (announcement->error && !announcement->withdrawn) return *announcement->error;
    }
    for (const auto& [service, watched] : watches_) {
        if (watched->error) return *watched->error;
    }
    return {};
}

} // namespace flotilla
