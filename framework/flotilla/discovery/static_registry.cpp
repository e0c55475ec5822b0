#include <flotilla/discovery/static_registry.hpp>

#include <flotilla/aio/event.hpp>
#include <flotilla/discovery/registry_errors.hpp>
#include <flotilla/discovery/service_name.hpp>

namespace flotilla {

StaticRegistry::StaticRegistry(const std::map<std::string, std::vector<Instance>, std::less<>>& fixed) {
    for (const auto& [service, list] : fixed) {
        auto copy = list;
        for (auto& instance : copy)
            instance.service = service;
        fixed_[service] = std::make_shared<const std::vector<Instance>>(std::move(copy));
    }
}

// Whoever wrote the list has announced this instance already.
void StaticRegistry::announce(Instance) {}

task<Result<void>> StaticRegistry::withdraw(Context&) { co_return Result<void>(); }

Instances StaticRegistry::instances(std::string_view service) {
    if (const auto found = fixed_.find(service); found != fixed_.end()) return found->second;
    const auto name = ServiceName::parse(service);
    const auto found = name ? fixed_.find(name->service) : fixed_.end();
    if (found == fixed_.end()) return none_;
    return fixed_.emplace(service, found->second).first->second;
}

task<Result<Instances>> StaticRegistry::resolve(Context& context, std::string service) {
    if (auto alive = context.check(); !alive) co_return std::move(alive.error());
    auto list = instances(service);
    if (list->empty()) co_return no_instance(service);
    co_return list;
}

task<void> StaticRegistry::run(Context& context) {
    Event never;
    // Ends with the context's reason: the only way out.
    while (!context.cancelled())
        (void)co_await never.wait(context);
}

Result<void> StaticRegistry::health() const { return {}; }

} // namespace flotilla
