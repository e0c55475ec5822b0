#include <flotilla/discovery/consul/consul_driver.hpp>

#include <algorithm>
#include <charconv>

#include <flotilla/discovery/consul/consul_wire.hpp>
#include <flotilla/discovery/registry_errors.hpp>
#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {
namespace {

constexpr Duration kPollWait = std::chrono::seconds(30);
/// What the registry may add to the wait (Consul: a sixteenth) plus the way there and back.
constexpr Duration kPollTimeout = kPollWait + kPollWait / 16 + std::chrono::seconds(5);

Result<std::uint64_t> index_of(const http::Response& response) {
    const auto text = response.head.headers.get("X-Consul-Index").value_or("");
    std::uint64_t index = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (failed == std::errc() && end == text.data() + text.size()) return index;
    return Error(Kind::bad_gateway, "bad_registry_answer", "the registry's answer has no X-Consul-Index");
}

} // namespace

Result<std::unique_ptr<RegistryDriver>> ConsulDriver::open(const DriverSetup& setup) {
    if (auto fits = setup.url.check({.example = "consul://HOST:PORT"}); !fits) return std::move(fits.error());
    return std::unique_ptr<RegistryDriver>(
        new ConsulDriver(setup.world, {setup.http, setup.url.servers}, setup.options.ttl));
}

task<Result<void>> ConsulDriver::enrol(Context& context, const Instance& instance) {
    const auto response = co_await must(
        agent_.call(context, Method::put, "/v1/agent/service/register", registration_body(instance, ttl_)));
    if (response.status() != 200) co_return refusal(response);
    // A registry that knew the instance keeps its check's last state over a registration.
    if (co_await must(heartbeat(context, instance))) co_return Result<void>();
    co_return refused_by_registry("the registry does not know " + instance.id + ", which it has just registered");
}

task<Result<bool>> ConsulDriver::heartbeat(Context& context, const Instance& instance) {
    const auto response = co_await must(
        agent_.call(context, Method::put, "/v1/agent/check/pass/service:" + http::percent_encode(instance.id)));
    if (response.status() == 200) co_return true;
    // 404, or 500 of older versions: the registry restarted empty.
    if (response.status() == 404 || response.status() == 500) co_return false;
    co_return refusal(response);
}

task<Result<void>> ConsulDriver::deregister(Context& context, const Instance& instance) {
    const auto response = co_await must(
        agent_.call(context, Method::put, "/v1/agent/service/deregister/" + http::percent_encode(instance.id)));
    // 404: it did not know us, or forgot.
    if (response.status() != 200 && response.status() != 404) co_return refusal(response);
    co_return Result<void>();
}

/// A blocking query, of which the target has the first parameter; index 0: answered at once.
task<Result<http::Response>> ConsulDriver::query(Context& context, std::string target, std::uint64_t index) {
    if (index > 0) target += "&index=" + std::to_string(index) + "&wait=" + consul_duration(kPollWait);
    co_return co_await agent_.call(context, Method::get, std::move(target), {},
                                   index > 0 ? kPollTimeout : RegistryHttp::kCallTimeout);
}

/// One blocking query. Returns the index to ask with next: zero to ask for everything at once.
task<Result<std::uint64_t>> ConsulDriver::poll(Context& context, WatchedService& service, std::uint64_t index) {
    const auto& name = service.name().service;
    const auto asked_at = world_.monotonic();
    const auto response =
        co_await must(query(context, "/v1/health/service/" + http::percent_encode(name) + "?passing=1", index));
    if (response.status() != 200) co_return refusal(response);
    const auto answered_index = co_await must(index_of(response));
    auto instances = co_await must(parse_health_answer(name, response.body));
    // Going backwards: the registry lost its state, and our index means nothing to it.
    const bool lost = answered_index < index;
    if (lost) service.doubt();
    const bool news = service.take(std::move(instances));
    if (!news && world_.monotonic() - asked_at < kAskingPace)
        co_await must(sleep_for(context, jittered(world_, kAskingPace, 0.5)));
    co_return lost ? 0 : answered_index;
}

task<Result<void>> ConsulDriver::follow(Context& context, WatchedService& service) {
    for (std::uint64_t index = 0;;)
        index = co_await must(poll(context, service, index));
}

task<Result<void>> ConsulDriver::follow(Context& context, std::string prefix,
                                        std::function<void(std::vector<KeyValue>)> take) {
    for (std::uint64_t index = 0;;) {
        const auto asked_at = world_.monotonic();
        const auto response = co_await must(query(context, "/v1/kv/" + prefix + "?recurse", index));
        if (response.status() != 200 && response.status() != 404) co_return refusal(response);
        const auto answered_index = co_await must(index_of(response)); // a 404 of Consul's has one, too
        if (response.status() == 404)
            take({});
        else
            take(co_await must(parse_key_values(response.body)));
        if (world_.monotonic() - asked_at < kAskingPace)
            co_await must(sleep_for(context, jittered(world_, kAskingPace, 0.5)));
        index = answered_index < index ? 0 : std::max<std::uint64_t>(answered_index, 1);
    }
}

} // namespace flotilla
