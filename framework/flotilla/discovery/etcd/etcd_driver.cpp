#include <flotilla/discovery/etcd/etcd_driver.hpp>

#include <flotilla/discovery/etcd/etcd_wire.hpp>
#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {
namespace {

constexpr Duration kWatchTime = std::chrono::seconds(30);

std::string keys_of(const std::string& prefix, const std::string& service) { return prefix + "/" + service + "/"; }

std::vector<Instance> list_of(const EtcdState& state) {
    std::vector<Instance> list;
    list.reserve(state.instances.size());
    for (const auto& [key, instance] : state.instances)
        list.push_back(instance);
    return list;
}

} // namespace

struct EtcdDriver::Followed {
    std::string keys;
    EtcdState state = {};
    bool lost = false; ///< the state has to be read anew
};

Result<std::unique_ptr<RegistryDriver>> EtcdDriver::open(const DriverSetup& setup) {
    if (auto fits =
            setup.url.check({.example = "etcd://HOST:PORT[,HOST:PORT]/[PREFIX]", .several = true, .path = true});
        !fits)
        return std::move(fits.error());
    return std::unique_ptr<RegistryDriver>(new EtcdDriver(setup.world, {setup.http, setup.url.servers},
                                                          setup.url.path.empty() ? "flotilla" : setup.url.path,
                                                          setup.options.ttl));
}

task<Result<std::string>> EtcdDriver::ask(Context& context, std::string target, std::string body) {
    auto response = co_await must(servers_.call(context, Method::post, std::move(target), std::move(body)));
    if (response.status() != 200) co_return refusal(response);
    co_return std::move(response.body);
}

// Announcing ------------------------------------------------------------------------------------------------------

task<Result<void>> EtcdDriver::enrol(Context& context, const Instance& instance) {
    const auto granted = co_await must(ask(context, "/v3/lease/grant", etcd_grant(ttl_)));
    const auto lease = co_await must(parse_etcd_grant(granted));
    leases_[instance.id] = lease;
    const auto key = keys_of(prefix_, instance.service) + instance.id;
    co_await must(ask(context, "/v3/kv/put", etcd_put(key, instance, lease)));
    co_return Result<void>();
}

task<Result<bool>> EtcdDriver::heartbeat(Context& context, const Instance& instance) {
    const auto answer = co_await must(ask(context, "/v3/lease/keepalive", etcd_lease(leases_[instance.id])));
    co_return parse_etcd_keepalive(answer);
}

task<Result<void>> EtcdDriver::deregister(Context& context, const Instance& instance) {
    const auto lease = leases_.find(instance.id);
    if (lease == leases_.end()) co_return Result<void>();
    // The key goes with its lease.
    const auto response =
        co_await must(servers_.call(context, Method::post, "/v3/lease/revoke", etcd_lease(lease->second)));
    // 404: it has run out.
    if (response.status() != 200 && response.status() != 404) co_return refusal(response);
    leases_.erase(instance.id);
    co_return Result<void>();
}

// Watching --------------------------------------------------------------------------------------------------------

task<Result<void>> EtcdDriver::read_all(Context& context, WatchedService& service, Followed& followed) {
    const auto body = co_await must(ask(context, "/v3/kv/range", etcd_range(followed.keys)));
    followed.state = co_await must(parse_etcd_range(service.name().service, body));
    followed.lost = false;
    service.take(list_of(followed.state));
    co_return Result<void>();
}

/// Takes changes in until the watch has lived long enough, or the state is lost.
task<Result<void>> EtcdDriver::watch(Context& context, WatchedService& service, Followed& followed) {
    auto& state = followed.state;
    const auto exchange = co_await must(
        servers_.stream(context, Method::post, "/v3/watch", etcd_watch(followed.keys, state.revision + 1)));
    LineReader lines(*exchange);
    Context living(context, jittered(world_, kWatchTime, 0.1));
    while (true) {
        auto line = co_await lines.next(living);
        if (living.cancelled() && !context.cancelled()) co_return Result<void>();
        const auto text = co_await must(std::move(line));
        if (!text) co_return Error(Kind::unavailable, "the registry ended the watch");
        const auto news = co_await must(apply_etcd_watch(state, service.name().service, *text));
        followed.lost = news == EtcdNews::lost;
        if (followed.lost) co_return Result<void>();
        if (news == EtcdNews::changed) service.take(list_of(state));
    }
}

task<Result<void>> EtcdDriver::follow(Context& context, WatchedService& service) {
    Followed followed{.keys = keys_of(prefix_, service.name().service)};
    co_await must(read_all(context, service, followed));
    while (true) {
        co_await must(watch(context, service, followed));
        if (!followed.lost) continue;
        service.doubt();
        co_await must(read_all(context, service, followed));
    }
}

} // namespace flotilla
