#pragma once

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/discovery/cache_file.hpp>
#include <flotilla/discovery/consul_wire.hpp>
#include <flotilla/discovery/event_list.hpp>
#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// The driver for Consul's HTTP API, hence for the hub. Announcements are services with a TTL check; watches are
/// blocking queries. Times: a heartbeat every ttl/3 (±10 %), one long poll of 30 s per watched service.
/// Source: https://developer.hashicorp.com/consul/api-docs/features/blocking
class ConsulRegistry final : public Registry {
public:
    ConsulRegistry(World& world, http::Client& http, Logger log, Address agent, RegistryOptions options);
    ~ConsulRegistry() override;

    void announce(Instance instance) override;
    task<Result<void>> withdraw(Context& context) override;
    Instances instances(std::string_view service) override;
    task<Result<Instances>> resolve(Context& context, std::string service) override;
    task<void> run(Context& context) override;
    Result<void> health() const override;

private:
    struct Announcement {
        Instance instance;
        bool withdrawn = false;
        bool registered = false;
        bool beating = false; ///< its heartbeat loop runs
        Event stop;           ///< wakes the loop from its pause
        EventList stopped;
        std::optional<Error> error = Error(Kind::unavailable, "the registry has not answered yet");
    };
    struct Watch {
        std::string service;
        Instances instances;
        bool answered = false; ///< by the registry in this process's life
        EventList changed;
        std::optional<Error> error = Error(Kind::unavailable, "the registry has not answered yet");
    };

    Watch& watch(std::string_view service);
    task<void> beat(Context& context, Announcement& announcement);
    task<Result<void>> beat_once(Context& context, Announcement& announcement);
    task<Result<void>> send_registration(Context& context, Announcement& announcement);
    task<Result<void>> deregister(Context& context, Announcement& announcement);
    task<void> follow(Context& context, Watch& watched);
    task<Result<std::uint64_t>> poll(Context& context, Watch& watched, std::uint64_t index);
    task<Result<http::Response>> call(Context& context, Method method, std::string target, std::string body,
                                      Duration timeout);
    bool take(Watch& watched, std::vector<Instance> instances);
    Duration jittered(Duration around, double share);

    World& world_;
    http::Client& http_;
    Logger log_;
    Address agent_;
    RegistryOptions options_;
    CacheFile cache_;
    std::vector<std::unique_ptr<Announcement>> announcements_;
    std::map<std::string, std::unique_ptr<Watch>, std::less<>> watches_;
    Scope* scope_ = nullptr; ///< while run() runs
};

} // namespace flotilla
