#include "hub/consul/registry_state.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>

namespace flotilla::hub::consul {
namespace {

/// What a check shows after one more probe; nullopt: not yet often enough in a row.
std::optional<CheckStatus> follow(RegisteredCheck& check, CheckStatus seen) {
    const auto& definition = check.definition;
    if (seen != CheckStatus::critical) {
        check.failures = 0;
        ++check.successes;
        return check.successes >= definition.successes_before_passing ? std::optional(seen) : std::nullopt;
    }
    check.successes = 0;
    ++check.failures;
    const auto critical = definition.failures_before_critical;
    const auto warning = definition.failures_before_warning == 0 ? critical : definition.failures_before_warning;
    if (check.failures >= critical) return CheckStatus::critical;
    return check.failures >= warning ? std::optional(CheckStatus::warning) : std::nullopt;
}

bool forgettable(const RegisteredCheck& check) {
    return check.definition.deregister_after > Duration::zero() && !check.definition.service_id.empty() &&
           check.status == CheckStatus::critical;
}

void take_out(std::map<std::string, std::set<std::string>, std::less<>>& ids, std::string_view key,
              const std::string& id) {
    const auto found = ids.find(key);
    if (found == ids.end()) return;
    found->second.erase(id);
    if (found->second.empty()) ids.erase(found);
}

} // namespace

std::string_view name(CheckStatus status) {
    switch (status) {
    case CheckStatus::passing:
        return "passing";
    case CheckStatus::warning:
        return "warning";
    case CheckStatus::critical:
        return "critical";
    }
    return "critical";
}

std::optional<CheckStatus> parse_check_status(std::string_view text) {
    for (const auto status : {CheckStatus::passing, CheckStatus::warning, CheckStatus::critical}) {
        if (name(status) == text) return status;
    }
    return std::nullopt;
}

std::string_view name(CheckType type) {
    switch (type) {
    case CheckType::maintenance:
        return "maintenance";
    case CheckType::ttl:
        return "ttl";
    case CheckType::http:
        return "http";
    case CheckType::tcp:
        return "tcp";
    }
    return "ttl";
}

// Changes ---------------------------------------------------------------------------------------------------------

void RegistryState::touch_service(const std::string& service_name, std::uint64_t at) {
    service_indexes_[ascii_lower(service_name)] = at;
    node_index_ = at;
    changes_.touch(Table::meta, "registry");
}

void RegistryState::touch_check(const RegisteredCheck& check, std::uint64_t at) {
    checks_index_ = at;
    node_index_ = at;
    changes_.touch(Table::meta, "registry");
    if (check.definition.service_id.empty()) {
        // A check of the node counts for every service on it.
        for (auto& [service_name, index] : service_indexes_)
            index = at;
    } else {
        touch_service(check.service_name, at);
    }
}

void RegistryState::note_instances_elsewhere(const std::string& name, std::uint64_t at, bool left) {
    const auto key = ascii_lower(name);
    changes_.undo.entry(service_indexes_, key);
    if (left || !services_named(name).empty()) {
        service_indexes_[key] = at;
        return;
    }
    changes_.undo.number(extinction_index_);
    extinction_index_ = at;
    service_indexes_.erase(key);
}

void RegistryState::note_change_elsewhere(Table table, std::uint64_t at) {
    changes_.undo.number(services_index_);
    changes_.undo.number(checks_index_);
    changes_.undo.number(node_index_);
    if (table != Table::node_check) services_index_ = at;
    if (table == Table::node_check) checks_index_ = at;
    node_index_ = at;
    changes_.touch(Table::meta, "registry");
}

void RegistryState::register_service(ServiceDefinition definition, std::vector<CheckDefinition> checks,
                                     bool replace_checks, Instant now) {
    const auto id = definition.id;
    if (auto existing = services_.find(id);
        existing != services_.end() && existing->second.definition.name != definition.name) {
        deregister_service(id); // under a new name it is another service
    }
    auto& service = services_[id];
    if (service.create_index == 0 || service.definition != definition) {
        const auto at = index_.next();
        if (service.create_index == 0) service.create_index = at;
        service.modify_index = at;
        service.definition = std::move(definition);
        services_by_name_[ascii_lower(service.definition.name)].insert(id);
        services_index_ = at;
        touch_service(service.definition.name, at);
        changes_.touch(Table::service, id);
    }
    std::set<std::string> listed;
    for (std::size_t i = 0; i < checks.size(); ++i) {
        auto& check = checks[i];
        check.service_id = id;
        if (check.id.empty()) check.id = "service:" + id + (checks.size() > 1 ? ":" + std::to_string(i + 1) : "");
        if (check.name.empty()) check.name = "Service '" + service.definition.name + "' check";
        listed.insert(check.id);
        add_check(std::move(check), now);
    }
    if (!replace_checks) return;
    for (const auto& own : check_ids_of(id)) {
        if (!listed.contains(own)) remove_check(checks_.find(own));
    }
}

bool RegistryState::deregister_service(std::string_view id) {
    const auto found = services_.find(id);
    if (found == services_.end()) return false;
    for (const auto& own : check_ids_of(id))
        remove_check(checks_.find(own));
    const auto service_name = found->second.definition.name;
    const auto at = index_.next();
    services_index_ = at;
    touch_service(service_name, at);
    changes_.touch(Table::service, id);
    take_out(services_by_name_, ascii_lower(service_name), found->first);
    services_.erase(found);
    if (services_named(service_name).empty()) {
        extinction_index_ = at;
        service_indexes_.erase(ascii_lower(service_name));
    }
    return true;
}

Result<void> RegistryState::register_check(CheckDefinition check, Instant now) {
    if (!check.service_id.empty() && !service(check.service_id)) {
        return Error(Kind::not_found, "ServiceID \"" + check.service_id + "\" does not exist");
    }
    add_check(std::move(check), now);
    return {};
}

void RegistryState::add_check(CheckDefinition definition, Instant now) {
    const auto id = definition.id;
    const auto status = std::exchange(definition.status, std::nullopt).value_or(CheckStatus::critical);
    auto [at, fresh] = checks_.try_emplace(id);
    auto& check = at->second;
    if (fresh) {
        check.status = status;
        if (status == CheckStatus::critical) {
            check.critical_since = now;
            failed_checks_.push_back(id);
        }
    }
    if (fresh || check.definition != definition) {
        if (!fresh && check.definition.service_id != definition.service_id) touch_check(check, index_.next());
        if (!fresh) take_out(checks_by_service_, check.definition.service_id, id);
        check.definition = std::move(definition);
        checks_by_service_[check.definition.service_id].insert(id);
        const auto* owner = service(check.definition.service_id);
        check.service_name = owner ? owner->definition.name : "";
        check.modify_index = index_.next();
        if (fresh) check.create_index = check.modify_index;
        touch_check(check, check.modify_index);
        changes_.touch(Table::check, id);
    }
    check.generation = ++generations_;
    check.probing = false;
    check.successes = check.failures = 0;
    schedule(check, now);
}

void RegistryState::remove_check(Checks::iterator at) {
    touch_check(at->second, index_.next());
    failed_checks_.push_back(at->first);
    changes_.touch(Table::check, at->first);
    take_out(checks_by_service_, at->second.definition.service_id, at->first);
    due_.plan(at->first, at->second.planned, Instant::max());
    checks_.erase(at);
}

bool RegistryState::deregister_check(std::string_view id) {
    const auto found = checks_.find(id);
    if (found == checks_.end()) return false;
    remove_check(found);
    return true;
}

bool RegistryState::set_status(RegisteredCheck& check, CheckStatus status, std::string output, Instant now) {
    // A new output alone wakes nobody, as in Consul, and is not worth a commit: heartbeats cost no disk.
    check.output = std::move(output);
    if (check.status == status) return false;
    check.status = status;
    check.critical_since = status == CheckStatus::critical ? now : Instant::max();
    check.modify_index = index_.next();
    if (status == CheckStatus::critical) failed_checks_.push_back(check.definition.id);
    touch_check(check, check.modify_index);
    changes_.touch(Table::check, check.definition.id);
    plan(check);
    return true;
}

// Time ------------------------------------------------------------------------------------------------------------

void RegistryState::plan(RegisteredCheck& check) {
    Instant next = check.probing ? Instant::max() : check.due;
    if (forgettable(check)) next = std::min(next, check.critical_since + check.definition.deregister_after);
    due_.plan(check.definition.id, check.planned, next);
}

void RegistryState::schedule(RegisteredCheck& check, Instant now) {
    switch (check.definition.type) {
    case CheckType::maintenance:
        check.due = Instant::max();
        break;
    case CheckType::ttl:
        check.due = now + check.definition.ttl;
        break;
    case CheckType::http:
    case CheckType::tcp:
        check.due = now;
        break; // the first probe at once
    }
    plan(check);
}

Result<void> RegistryState::report_ttl(std::string_view id, CheckStatus status, std::string output, Instant now) {
    const auto found = checks_.find(id);
    if (found == checks_.end()) {
        return Error(Kind::not_found, "Unknown check ID \"" + std::string(id) +
                                          "\". Ensure that the check ID is passed, not the check name.");
    }
    auto& check = found->second;
    if (check.definition.type != CheckType::ttl) {
        return Error(Kind::conflict, "CheckID \"" + std::string(id) + "\" does not have associated TTL");
    }
    set_status(check, status, std::move(output), now);
    check.due = now + check.definition.ttl;
    plan(check);
    return {};
}

std::vector<RegistryState::Probe> RegistryState::tick(Instant now) {
    std::vector<Probe> probes;
    std::set<std::string> dead_services;
    for (const auto& id : due_.due(now)) {
        auto& check = checks_.find(id)->second;
        const auto& definition = check.definition;
        if (check.due <= now && definition.type == CheckType::ttl) {
            check.due = Instant::max(); // until somebody reports again
            set_status(check, CheckStatus::critical, "TTL expired", now);
        } else if (check.due <= now && !check.probing) {
            check.probing = true;
            check.due = now + definition.interval;
            probes.push_back({definition, check.generation});
        }
        plan(check);
        if (forgettable(check) && now - definition.deregister_after >= check.critical_since)
            dead_services.insert(definition.service_id);
    }
    for (const auto& id : dead_services)
        deregister_service(id);
    return probes;
}

void RegistryState::report_probe(const Probe& probe, CheckStatus status, std::string output, Instant now) {
    const auto found = checks_.find(probe.check.id);
    if (found == checks_.end() || found->second.generation != probe.generation) return;
    auto& check = found->second;
    check.probing = false;
    check.due = now + check.definition.interval;
    if (const auto shown = follow(check, status)) set_status(check, *shown, std::move(output), now);
    plan(check);
}

Instant RegistryState::next_due() const { return due_.next(); }

// Questions -------------------------------------------------------------------------------------------------------

const RegisteredService* RegistryState::service(std::string_view id) const {
    const auto found = services_.find(id);
    return found == services_.end() ? nullptr : &found->second;
}

const RegisteredCheck* RegistryState::check(std::string_view id) const {
    const auto found = checks_.find(id);
    return found == checks_.end() ? nullptr : &found->second;
}

std::vector<const RegisteredService*> RegistryState::services_named(std::string_view service_name) const {
    std::vector<const RegisteredService*> result;
    const auto found = services_by_name_.find(ascii_lower(service_name));
    if (found == services_by_name_.end()) return result;
    for (const auto& id : found->second)
        result.push_back(service(id));
    return result;
}

std::vector<std::string> RegistryState::check_ids_of(std::string_view service_id) const {
    const auto found = checks_by_service_.find(service_id);
    if (found == checks_by_service_.end()) return {};
    return {found->second.begin(), found->second.end()};
}

std::vector<const RegisteredCheck*> RegistryState::checks_of(std::string_view service_id) const {
    std::vector<const RegisteredCheck*> result;
    for (const auto owner : {std::string_view(), service_id}) {
        const auto found = checks_by_service_.find(owner);
        if (found == checks_by_service_.end()) continue;
        for (const auto& id : found->second)
            result.push_back(check(id));
        if (service_id.empty()) break;
    }
    return result;
}

std::uint64_t RegistryState::index_of_service(std::string_view service_name) const {
    const auto found = service_indexes_.find(ascii_lower(service_name));
    return found == service_indexes_.end() ? extinction_index_ : found->second;
}

RegistryState::Meta RegistryState::meta() const {
    return {services_index_, checks_index_, node_index_, extinction_index_, service_indexes_};
}

void RegistryState::restore(Meta meta, std::vector<RegisteredService> services, std::vector<RegisteredCheck> checks,
                            Instant now) {
    services_index_ = meta.services_index;
    checks_index_ = meta.checks_index;
    node_index_ = meta.node_index;
    extinction_index_ = meta.extinction_index;
    for (const auto& [service_name, index] : meta.service_indexes) {
        auto& known = service_indexes_[ascii_lower(service_name)];
        known = std::max(known, index);
    }
    for (auto& service : services) {
        services_by_name_[ascii_lower(service.definition.name)].insert(service.definition.id);
        services_.insert_or_assign(service.definition.id, std::move(service));
    }
    for (auto& check : checks) {
        check.generation = ++generations_;
        if (check.status == CheckStatus::critical) check.critical_since = now;
        if (const auto* owner = service(check.definition.service_id)) check.service_name = owner->definition.name;
        checks_by_service_[check.definition.service_id].insert(check.definition.id);
        schedule(check, now);
        checks_.insert_or_assign(check.definition.id, std::move(check));
    }
}

} // namespace flotilla::hub::consul
