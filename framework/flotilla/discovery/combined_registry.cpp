#include <flotilla/discovery/combined_registry.hpp>

#include <algorithm>

#include <flotilla/discovery/registry_errors.hpp>
#include <flotilla/discovery/watched_service.hpp>

namespace flotilla {

void CombinedRegistry::announce(Instance instance) {
    for (const auto& part : parts_)
        part->announce(instance);
}

task<Result<void>> CombinedRegistry::withdraw(Context& context) {
    std::vector<task<Result<void>>> withdrawals;
    for (const auto& part : parts_)
        withdrawals.push_back(part->withdraw(context));
    co_return co_await all(context, std::move(withdrawals));
}

Instances CombinedRegistry::instances(std::string_view service) {
    auto found = unions_.find(service);
    if (found == unions_.end()) found = unions_.emplace(service, Union{}).first;
    auto& known = found->second;
    bool changed = known.parts.size() != parts_.size();
    known.parts.resize(parts_.size());
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        auto now = parts_[i]->instances(service);
        if (now == known.parts[i]) continue;
        known.parts[i] = std::move(now);
        changed = true;
    }
    if (!changed) return known.instances;
    std::vector<Instance> list;
    for (const auto& part : known.parts)
        add_missing(list, *part);
    known.instances = std::make_shared<const std::vector<Instance>>(std::move(list));
    return known.instances;
}

task<void> CombinedRegistry::resolve_in(Context& context, Registry& part, std::string service, Scope& others,
                                        std::vector<Error>& errors) {
    auto found = co_await part.resolve(context, std::move(service));
    if (found) {
        others.cancel(Error(Kind::cancelled, "another registry has answered"));
    } else {
        errors.push_back(std::move(found.error()));
    }
}

task<Result<Instances>> CombinedRegistry::resolve(Context& context, std::string service) {
    co_await must(context.check());
    std::vector<Error> errors;
    Scope scope(context);
    for (const auto& part : parts_)
        scope.spawn(resolve_in(scope.context(), *part, service, scope, errors));
    co_await scope.join();
    if (auto known = instances(service); !known->empty()) co_return known;
    co_await must(context.check());
    for (auto& error : errors) {
        if (error.code() != no_instance(service).code()) co_return std::move(error);
    }
    co_return no_instance(service);
}

task<void> CombinedRegistry::run(Context& context) {
    Scope scope(context);
    for (const auto& part : parts_)
        scope.spawn(part->run(scope.context()));
    co_await scope.join();
}

KeyValues* CombinedRegistry::key_values() {
    for (const auto& part : parts_) {
        if (auto* values = part->key_values()) return values;
    }
    return nullptr;
}

Result<void> CombinedRegistry::health() const {
    for (const auto& part : parts_) {
        if (auto well = part->health(); !well) return well;
    }
    return {};
}

} // namespace flotilla
