#include <flotilla/discovery/eureka/eureka_driver.hpp>

#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {
namespace {

constexpr std::string_view kParameters[] = {"fetch"};
/// Netflix' clients take 30 s; a server keeps what changed for 3 minutes.
constexpr Duration kFetch = std::chrono::seconds(5);
constexpr Duration kFetchMin = std::chrono::milliseconds(10), kFetchMax = std::chrono::minutes(1);
/// All applications of a large fleet.
constexpr Duration kFetchTimeout = std::chrono::seconds(10);

} // namespace

Result<std::unique_ptr<RegistryDriver>> EurekaDriver::open(const DriverSetup& setup) {
    const auto& url = setup.url;
    constexpr std::string_view kExample = "eureka://HOST:PORT[,HOST:PORT]/[PATH][?fetch=5s]";
    if (auto fits = url.check({.example = kExample, .several = true, .path = true, .parameters = kParameters}); !fits)
        return std::move(fits.error());
    Duration fetch = kFetch;
    if (const auto text = url.parameter("fetch"); !text.empty()) {
        const auto parsed = parse_duration(text);
        if (!parsed || *parsed < kFetchMin || *parsed > kFetchMax)
            return url.refused("fetch is a duration from 10ms to 1m, found " + text);
        fetch = *parsed;
    }
    return std::unique_ptr<RegistryDriver>(
        new EurekaDriver(setup.world, {setup.http, url.servers, {{"Accept", "application/json"}}},
                         "/" + (url.path.empty() ? "eureka" : url.path), fetch, setup.options.ttl));
}

// Announcing ------------------------------------------------------------------------------------------------------

std::string EurekaDriver::path_of(const Instance& instance) const {
    return path_ + "/apps/" + http::percent_encode(eureka_app(instance.service)) + "/" +
           http::percent_encode(instance.id);
}

task<Result<void>> EurekaDriver::enrol(Context& context, const Instance& instance) {
    const auto response = co_await must(
        servers_.call(context, Method::post, path_ + "/apps/" + http::percent_encode(eureka_app(instance.service)),
                      eureka_registration(instance, ttl_)));
    if (response.status() != 204 && response.status() != 200) co_return refusal(response);
    co_return Result<void>();
}

task<Result<bool>> EurekaDriver::heartbeat(Context& context, const Instance& instance) {
    const auto response = co_await must(servers_.call(context, Method::put, path_of(instance) + "?status=UP"));
    if (response.status() == 200) co_return true;
    if (response.status() == 404) co_return false;
    co_return refusal(response);
}

task<Result<void>> EurekaDriver::deregister(Context& context, const Instance& instance) {
    const auto response = co_await must(servers_.call(context, Method::delete_, path_of(instance)));
    if (response.status() != 200 && response.status() != 404) co_return refusal(response);
    co_return Result<void>();
}

// Watching --------------------------------------------------------------------------------------------------------

task<Result<std::string>> EurekaDriver::get(Context& context, std::string target) {
    auto response = co_await must(servers_.call(context, Method::get, std::move(target), {}, kFetchTimeout));
    if (response.status() != 200) co_return refusal(response);
    co_return std::move(response.body);
}

/// What has changed; everything the first time, after a failure, and when the two have come apart.
task<Result<void>> EurekaDriver::fetch(Context& context) {
    if (fetches_ > 0 && !error_) {
        const auto delta = co_await get(context, path_ + "/apps/delta");
        // A server may be told to serve no deltas.
        if (delta && co_await must(apps_.take_delta(*delta))) co_return Result<void>();
        if (delta) ++doubts_;
    }
    co_await must(apps_.take_all(co_await must(get(context, path_ + "/apps"))));
    co_return Result<void>();
}

task<void> EurekaDriver::run(Context& context) {
    Backoff backoff = retry_pace();
    while (!context.cancelled()) {
        const auto done = co_await fetch(context);
        if (context.cancelled()) co_return;
        error_ = done ? std::nullopt : std::optional(done.error());
        if (done) ++fetches_;
        if (done) backoff.reset();
        fetched_.notify_all();
        // Ends early with the context, which the loop looks at.
        (void)co_await sleep_for(context, done ? jittered(world_, fetch_, 0.1)
                                               : std::min(fetch_, backoff.next(world_.random())));
    }
}

task<Result<void>> EurekaDriver::follow(Context& context, WatchedService& service) {
    std::uint64_t seen = 0, doubts = doubts_;
    while (true) {
        if (fetches_ > seen && !error_) {
            if (std::exchange(doubts, doubts_) != doubts_) service.doubt();
            seen = fetches_;
            service.take(apps_.instances_of(service.name().service));
        }
        co_await must(fetched_.wait(context));
        if (error_) co_return *error_;
    }
}

} // namespace flotilla
