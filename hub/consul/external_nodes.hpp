#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

class RegistryState;

/// A node that no agent runs on, registered through the catalogue: a database, a rented service.
struct ExternalNode {
    std::string name;
    std::string id; ///< a UUID, or empty
    std::string address;
    std::map<std::string, std::string> tagged_addresses;
    std::map<std::string, std::string> meta;
    std::uint64_t create_index = 0;
    std::uint64_t modify_index = 0;
};

struct ExternalService {
    std::string node;
    RegisteredService service;
};

/// A check whose status is what its registration says: nobody here runs it.
struct ExternalCheck {
    std::string node;
    std::string id;
    std::string name;
    CheckStatus status = CheckStatus::critical;
    std::string notes;
    std::string output;
    std::string service_id; ///< empty: a check of the node
    std::string service_name;
    std::string type;       ///< shown, no more
    std::string definition; ///< what a monitor outside runs, as JSON for it to read back; empty: none
    std::uint64_t create_index = 0;
    std::uint64_t modify_index = 0;
    bool operator==(const ExternalCheck&) const = default;
};

/// Nodes, services and checks of other machines, with Consul's rules for its catalogue: pure logic, no I/O, no clock.
/// Names and ids are found whatever their case. Every operation is one change of the index. Thread-safety: none.
class ExternalNodes {
public:
    using Nodes = std::map<std::string, ExternalNode, std::less<>>;
    using Services = std::map<std::string, ExternalService, std::less<>>;
    using Checks = std::map<std::string, ExternalCheck, std::less<>>;

    ExternalNodes(Index& index, ChangeLog& changes, RegistryState& registry)
        : index_(index), changes_(changes), registry_(registry) {}
    ExternalNodes(const ExternalNodes&) = delete;
    ExternalNodes& operator=(const ExternalNodes&) = delete;

    /// Adds or replaces it; what is the same already changes nothing. Errors: conflict (another node has its id).
    Result<void> set_node(ExternalNode node);
    /// Errors: not_found (no such node).
    Result<void> set_service(std::string_view node, ServiceDefinition service);
    /// Its service's name is filled in. Errors: not_found (no such node or service).
    Result<void> set_check(ExternalCheck check);
    /// Its services and checks go with it. Removing what is not there changes nothing, as in Consul.
    void remove_node(std::string_view node);
    void remove_service(std::string_view node, std::string_view service_id);
    void remove_check(std::string_view node, std::string_view check_id);

    const ExternalNode* node(std::string_view name) const;
    const ExternalNode* node_of_id(std::string_view id) const;
    const ExternalService* service(std::string_view node, std::string_view id) const;
    const ExternalCheck* check(std::string_view node, std::string_view id) const;
    std::vector<const ExternalService*> services_of(std::string_view node) const;
    std::vector<const ExternalService*> services_named(std::string_view name) const; ///< in order of node and id
    std::vector<const ExternalCheck*> checks_of(std::string_view node) const;
    /// Those that count for an instance: the node's, then its own.
    std::vector<const ExternalCheck*> checks_of(const ExternalService& service) const;

    /// All, by key: the name, or node and id (see key()).
    const Nodes& nodes() const { return nodes_; }
    const Services& services() const { return services_; }
    const Checks& checks() const { return checks_; }
    /// The last change of a node itself.
    std::uint64_t nodes_index() const { return nodes_index_; }

    void restore(std::uint64_t nodes_index, std::vector<ExternalNode> nodes, std::vector<ExternalService> services,
                 std::vector<ExternalCheck> checks);

    static std::string key(std::string_view node);
    /// Keys of a node begin alike, and no other key begins so.
    static std::string key(std::string_view node, std::string_view id);

private:
    using Names = std::map<std::string, std::set<std::string>, std::less<>>;

    void touch(Table table, const std::string& key, std::uint64_t at);
    void touch_names(const std::set<std::string>& names, std::uint64_t at);
    std::set<std::string> names_of(std::string_view node) const;
    /// The names whose instances a check counts for.
    std::set<std::string> names_of(const ExternalCheck& check) const;
    void name_instance(const std::string& name, const std::string& key);
    void unname_instance(const std::string& name, const std::string& key);
    void rename_checks(const ExternalService& service, std::uint64_t at);
    void erase(Services::iterator found, std::uint64_t at);
    void erase(Checks::iterator found, std::uint64_t at);

    Index& index_;
    ChangeLog& changes_;
    RegistryState& registry_;
    Nodes nodes_;
    Services services_;
    Checks checks_;
    Names named_; ///< the keys of the instances of each service name, folded
    std::uint64_t nodes_index_ = 1;
};

} // namespace flotilla::hub::consul
