#include "hub/consul/external_nodes.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>

#include "hub/consul/registry_state.hpp"

namespace flotilla::hub::consul {
namespace {

/// What all keys of a node begin with; the length keeps "a" + "bc" and "ab" + "c" apart.
std::string prefix(std::string_view node) { return std::to_string(node.size()) + ":" + ascii_lower(node); }

template <class Map>
const typename Map::mapped_type* find_in(const Map& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

template <class Map>
std::vector<const typename Map::mapped_type*> of_node(const Map& map, std::string_view node) {
    std::vector<const typename Map::mapped_type*> result;
    const auto begin = prefix(node);
    for (auto at = map.lower_bound(begin); at != map.end() && at->first.starts_with(begin); ++at)
        result.push_back(&at->second);
    return result;
}

} // namespace

std::string ExternalNodes::key(std::string_view node) { return ascii_lower(node); }
std::string ExternalNodes::key(std::string_view node, std::string_view id) { return prefix(node) + ascii_lower(id); }

// Changes ---------------------------------------------------------------------------------------------------------

void ExternalNodes::touch(Table table, const std::string& key, std::uint64_t at) {
    registry_.note_change_elsewhere(table, at);
    changes_.touch(table, key);
}

void ExternalNodes::touch_names(const std::set<std::string>& names, std::uint64_t at) {
    for (const auto& name : names)
        registry_.note_instances_elsewhere(name, at, named_.contains(ascii_lower(name)));
}

std::set<std::string> ExternalNodes::names_of(std::string_view node_name) const {
    std::set<std::string> names;
    for (const auto* each : services_of(node_name))
        names.insert(each->service.definition.name);
    return names;
}

std::set<std::string> ExternalNodes::names_of(const ExternalCheck& check) const {
    // A check of the node counts for every service on it.
    if (check.service_id.empty()) return names_of(check.node);
    return {check.service_name};
}

void ExternalNodes::name_instance(const std::string& name, const std::string& key) {
    changes_.undo.entry(named_, ascii_lower(name));
    named_[ascii_lower(name)].insert(key);
}

void ExternalNodes::unname_instance(const std::string& name, const std::string& key) {
    changes_.undo.entry(named_, ascii_lower(name));
    const auto found = named_.find(ascii_lower(name));
    if (found == named_.end()) return;
    found->second.erase(key);
    if (found->second.empty()) named_.erase(found);
}

Result<void> ExternalNodes::set_node(ExternalNode node) {
    const auto id = key(node.name);
    const auto* before = find_in(nodes_, id);
    if (before && before->name == node.name && before->id == node.id && before->address == node.address &&
        before->tagged_addresses == node.tagged_addresses && before->meta == node.meta)
        return {};
    if (const auto* other = node.id.empty() ? nullptr : node_of_id(node.id); other && other != before) {
        return Error(Kind::conflict, "node ID \"" + node.id + "\" of node \"" + node.name + "\" belongs to node \"" +
                                         other->name + "\"; deregister that one first");
    }
    const auto at = index_.next();
    node.create_index = before ? before->create_index : at;
    node.modify_index = at;
    changes_.undo.entry(nodes_, id);
    changes_.undo.number(nodes_index_);
    nodes_index_ = at;
    // Their rows show the node's address and meta.
    touch_names(names_of(node.name), at);
    nodes_.insert_or_assign(id, std::move(node));
    touch(Table::node, id, at);
    return {};
}

Result<void> ExternalNodes::set_service(std::string_view node_name, ServiceDefinition definition) {
    const auto* owner = node(node_name);
    if (!owner) return Error(Kind::not_found, "Missing node registration");
    const auto id = key(node_name, definition.id);
    const auto* before = find_in(services_, id);
    if (before && before->service.definition == definition) return {};
    const auto at = index_.next();
    const auto create_index = before ? before->service.create_index : at;
    const auto name_before = before ? before->service.definition.name : definition.name;
    const bool renamed = name_before != definition.name;
    changes_.undo.entry(services_, id);
    const auto& stored =
        services_.insert_or_assign(id, ExternalService{owner->name, {std::move(definition), create_index, at}})
            .first->second;
    if (renamed) unname_instance(name_before, id);
    name_instance(stored.service.definition.name, id);
    touch(Table::node_service, id, at);
    touch_names({name_before, stored.service.definition.name}, at);
    if (renamed) rename_checks(stored, at);
    return {};
}

void ExternalNodes::rename_checks(const ExternalService& renamed, std::uint64_t at) {
    for (const auto* check : checks_of(renamed)) {
        if (check->service_id.empty()) continue;
        const auto id = key(check->node, check->id);
        changes_.undo.entry(checks_, id);
        auto& changed = checks_.find(id)->second;
        changed.service_name = renamed.service.definition.name;
        changed.modify_index = at;
        touch(Table::node_check, id, at);
    }
}

Result<void> ExternalNodes::set_check(ExternalCheck check) {
    const auto* owner = node(check.node);
    if (!owner) return Error(Kind::not_found, "Missing node registration");
    check.node = owner->name;
    check.service_name.clear();
    if (!check.service_id.empty()) {
        const auto* checked = service(check.node, check.service_id);
        if (!checked) return Error(Kind::not_found, "Missing service registration");
        check.service_name = checked->service.definition.name;
    }
    const auto id = key(check.node, check.id);
    const auto* before = find_in(checks_, id);
    if (before) {
        check.create_index = before->create_index;
        check.modify_index = before->modify_index;
        if (*before == check) return {};
        touch_names(names_of(*before), index_.next()); // it may have been another service's
    }
    const auto at = before ? index_.current : index_.next();
    if (!before) check.create_index = at;
    check.modify_index = at;
    touch_names(names_of(check), at);
    changes_.undo.entry(checks_, id);
    checks_.insert_or_assign(id, std::move(check));
    touch(Table::node_check, id, at);
    return {};
}

void ExternalNodes::erase(Services::iterator found, std::uint64_t at) {
    unname_instance(found->second.service.definition.name, found->first);
    touch(Table::node_service, found->first, at);
    changes_.undo.erase(services_, found);
}

void ExternalNodes::erase(Checks::iterator found, std::uint64_t at) {
    touch(Table::node_check, found->first, at);
    changes_.undo.erase(checks_, found);
}

void ExternalNodes::remove_check(std::string_view node_name, std::string_view check_id) {
    const auto found = checks_.find(key(node_name, check_id));
    if (found == checks_.end()) return;
    const auto at = index_.next();
    touch_names(names_of(found->second), at);
    erase(found, at);
}

void ExternalNodes::remove_service(std::string_view node_name, std::string_view service_id) {
    const auto found = services_.find(key(node_name, service_id));
    if (found == services_.end()) return;
    const auto at = index_.next();
    const auto name = found->second.service.definition.name;
    for (const auto* check : checks_of(found->second)) {
        if (!check->service_id.empty()) erase(checks_.find(key(check->node, check->id)), at);
    }
    erase(found, at);
    touch_names({name}, at);
}

void ExternalNodes::remove_node(std::string_view node_name) {
    const auto found = nodes_.find(key(node_name));
    if (found == nodes_.end()) return;
    const auto at = index_.next();
    const auto names = names_of(node_name);
    for (const auto* check : checks_of(node_name))
        erase(checks_.find(key(check->node, check->id)), at);
    for (const auto* each : services_of(node_name))
        erase(services_.find(key(each->node, each->service.definition.id)), at);
    changes_.undo.number(nodes_index_);
    nodes_index_ = at;
    touch(Table::node, found->first, at);
    changes_.undo.erase(nodes_, found);
    touch_names(names, at);
}

// Questions -------------------------------------------------------------------------------------------------------

const ExternalNode* ExternalNodes::node(std::string_view name) const { return find_in(nodes_, key(name)); }

const ExternalNode* ExternalNodes::node_of_id(std::string_view id) const {
    const auto found = std::ranges::find_if(nodes_, [&](const auto& each) { return each.second.id == id; });
    return found == nodes_.end() ? nullptr : &found->second;
}

const ExternalService* ExternalNodes::service(std::string_view node_name, std::string_view id) const {
    return find_in(services_, key(node_name, id));
}

const ExternalCheck* ExternalNodes::check(std::string_view node_name, std::string_view id) const {
    return find_in(checks_, key(node_name, id));
}

std::vector<const ExternalService*> ExternalNodes::services_of(std::string_view node_name) const {
    return of_node(services_, node_name);
}

std::vector<const ExternalCheck*> ExternalNodes::checks_of(std::string_view node_name) const {
    return of_node(checks_, node_name);
}

std::vector<const ExternalService*> ExternalNodes::services_named(std::string_view name) const {
    std::vector<const ExternalService*> result;
    if (const auto found = named_.find(ascii_lower(name)); found != named_.end()) {
        for (const auto& each : found->second)
            result.push_back(&services_.find(each)->second);
    }
    // Keys of nodes with longer names come later, whatever the names are.
    std::ranges::sort(result, {}, [](const auto* each) {
        return std::pair(ascii_lower(each->node), ascii_lower(each->service.definition.id));
    });
    return result;
}

std::vector<const ExternalCheck*> ExternalNodes::checks_of(const ExternalService& service) const {
    const auto id = ascii_lower(service.service.definition.id);
    const auto all = checks_of(std::string_view(service.node));
    std::vector<const ExternalCheck*> result;
    std::ranges::copy_if(all, std::back_inserter(result), [](const auto* check) { return check->service_id.empty(); });
    std::ranges::copy_if(all, std::back_inserter(result), [&](const auto* check) {
        return !check->service_id.empty() && ascii_lower(check->service_id) == id;
    });
    return result;
}

void ExternalNodes::restore(std::uint64_t nodes_index, std::vector<ExternalNode> nodes,
                            std::vector<ExternalService> services, std::vector<ExternalCheck> checks) {
    nodes_index_ = nodes_index;
    for (auto& each : nodes) {
        auto id = key(each.name);
        nodes_.insert_or_assign(std::move(id), std::move(each));
    }
    for (auto& each : services) {
        auto id = key(each.node, each.service.definition.id);
        named_[ascii_lower(each.service.definition.name)].insert(id);
        services_.insert_or_assign(std::move(id), std::move(each));
    }
    for (auto& each : checks) {
        auto id = key(each.node, each.id);
        checks_.insert_or_assign(std::move(id), std::move(each));
    }
}

} // namespace flotilla::hub::consul
