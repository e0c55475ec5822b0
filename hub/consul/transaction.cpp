#include "hub/consul/transaction.hpp"

#include <functional>

#include <fmt/format.h>

#include "hub/consul/catalog_shapes.hpp"
#include "hub/consul/go_text.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

/// What an operation leaves: rows for the answer, or why it fails.
using Results = Result<bj::array>;

Error failed(std::string what) { return {Kind::conflict, std::move(what)}; }

Results nothing() { return bj::array(); }
Results one(std::string_view kind, bj::object row) {
    bj::object result;
    result[kind] = std::move(row);
    bj::array results;
    results.push_back(std::move(result));
    return results;
}

/// Consul's rule for "cas": 0 asks for what is not there yet.
bool is_expected(const auto* existing, std::uint64_t index, auto index_of) {
    return existing ? index != 0 && index_of(*existing) == index : index == 0;
}

Error unknown_verb(std::string_view kind, std::string_view verb) {
    return failed(fmt::format("unknown {} verb {}", kind, go_quoted(verb)));
}

// Keys ------------------------------------------------------------------------------------------------------------

Results entry(const KvEntry* found, bool with_value) {
    auto row = kv_json(*found);
    if (!with_value) row["Value"] = nullptr;
    return one("KV", std::move(row));
}

/// Consul looks at these before it begins.
std::optional<std::string> objection(const Stores& stores, const KvOperation& operation, Instant now) {
    if (operation.key.empty() && operation.verb != "delete-tree") return "Must provide key";
    if (operation.verb == "lock" && stores.kv.lock_rests(operation.key, now))
        return fmt::format("failed to lock key {} due to lock delay", go_quoted(operation.key));
    return std::nullopt;
}

Results write(Stores& stores, KvOperation& operation, Instant now) {
    auto& kv = stores.kv;
    const auto key = go_quoted(operation.key);
    if (operation.verb == "set") {
        kv.set(operation.key, std::move(operation.value), operation.flags);
    } else if (operation.verb == "cas") {
        if (!kv.cas(operation.key, std::move(operation.value), operation.flags, operation.index))
            return failed(fmt::format("failed to set key {}, index is stale", key));
    } else if (operation.session.empty()) {
        return failed("missing session");
    } else if (operation.verb == "lock") {
        if (!stores.sessions.find(operation.session))
            return failed(fmt::format("invalid session {}", go_quoted(operation.session)));
        if (!kv.acquire(operation.key, std::move(operation.value), operation.flags, operation.session, now))
            return failed(fmt::format("failed to lock key {}, lock is already held", key));
    } else if (!kv.release(operation.key, std::move(operation.value), operation.flags, operation.session)) {
        return failed(fmt::format("failed to unlock key {}, lock isn't held, or is held by another session", key));
    }
    return entry(kv.find(operation.key), false);
}

Results remove(Stores& stores, const KvOperation& operation) {
    if (operation.verb == "delete-tree") {
        stores.kv.remove_tree(operation.key);
    } else if (operation.verb == "delete") {
        stores.kv.remove(operation.key);
    } else if (!stores.kv.remove_cas(operation.key, operation.index)) {
        return failed(fmt::format("failed to delete key {}, index is stale", go_quoted(operation.key)));
    }
    return nothing();
}

Results read(const Stores& stores, const KvOperation& operation) {
    if (operation.verb == "get-tree") {
        bj::array results;
        for (const auto* each : stores.kv.list(operation.key))
            results.push_back(bj::object{{"KV", kv_json(*each)}});
        return results;
    }
    const auto* found = stores.kv.find(operation.key);
    if (found) return entry(found, true);
    if (operation.verb == "get") return failed(fmt::format("key {} doesn't exist", go_quoted(operation.key)));
    KvEntry absent{.key = operation.key, .flags = operation.flags, .session = operation.session};
    absent.modify_index = operation.index;
    return entry(&absent, false);
}

Results check(const Stores& stores, const KvOperation& operation) {
    const auto key = go_quoted(operation.key);
    const auto* found = stores.kv.find(operation.key);
    if (operation.verb == "check-not-exists")
        return found ? Results(failed(fmt::format("key {} exists", key))) : nothing();
    const bool session = operation.verb == "check-session";
    if (!found)
        return failed(fmt::format("failed to check {}, key {} doesn't exist", session ? "session" : "index", key));
    if (session && found->session != operation.session)
        return failed(fmt::format("failed session check for key {}, current session {} != {}", key,
                                  go_quoted(found->session), go_quoted(operation.session)));
    if (!session && found->modify_index != operation.index)
        return failed(fmt::format("failed index check for key {}, current modify index {} != {}", key,
                                  found->modify_index, operation.index));
    return entry(found, false);
}

Results run(Stores& stores, KvOperation& operation, Instant now) {
    const auto& verb = operation.verb;
    if (verb == "set" || verb == "cas" || verb == "lock" || verb == "unlock") return write(stores, operation, now);
    if (verb == "delete" || verb == "delete-cas" || verb == "delete-tree") return remove(stores, operation);
    if (verb == "get" || verb == "get-or-empty" || verb == "get-tree") return read(stores, operation);
    if (verb == "check-index" || verb == "check-session" || verb == "check-not-exists") return check(stores, operation);
    return unknown_verb("KV", verb);
}

// External nodes, their services and checks: the same five verbs --------------------------------------------------

/// How one kind of them is read and written; `Item` is what is stored.
template <class Item>
struct Actions {
    std::string_view kind; ///< "Node", as in the answer
    std::string subject;   ///< `node "n"`, as in errors
    std::string absent;    ///< the error of a "get" in vain
    std::function<const Item*()> find;
    std::function<std::uint64_t(const Item&)> index_of;
    std::function<bj::object(const Item&)> row;
    std::function<Result<void>()> set;
    std::function<void()> remove;
};

template <class Item>
Results act(const Actions<Item>& actions, std::string_view verb, std::uint64_t index) {
    const auto* existing = actions.find();
    if (verb == "get") return existing ? one(actions.kind, actions.row(*existing)) : Results(failed(actions.absent));
    if (verb == "set" || verb == "cas") {
        if (verb == "cas" && !is_expected(existing, index, actions.index_of))
            return failed(fmt::format("failed to set {}, index is stale", actions.subject));
        if (auto done = actions.set(); !done) return std::move(done.error());
        return one(actions.kind, actions.row(*actions.find()));
    }
    if (verb == "delete-cas" && (!existing || actions.index_of(*existing) != index))
        return failed(fmt::format("failed to delete {}, index is stale", actions.subject));
    if (verb != "delete" && verb != "delete-cas") return unknown_verb(actions.kind, verb);
    actions.remove();
    return nothing();
}

/// What a "get" finds of this agent's own node, which transactions do not change.
bool asks_own(std::string_view verb, std::string_view node) {
    return verb == "get" && ExternalNodes::key(node) == kNodeName;
}

std::optional<std::string> objection(const Stores&, NodeOperation& operation, Instant) {
    return operation.verb == "get" ? std::nullopt : objection(operation.node.item);
}
std::optional<std::string> objection(const Stores&, ServiceOperation& operation, Instant) {
    if (operation.verb == "get") return std::nullopt;
    auto found = objection_to_own_node(operation.node);
    return found ? found : objection(operation.service.item);
}
std::optional<std::string> objection(const Stores&, CheckOperation& operation, Instant) {
    return operation.verb == "get" ? std::nullopt : objection(operation.check.item);
}

Results run(Stores& stores, NodeOperation& operation, Instant) {
    auto& nodes = stores.external;
    const auto& node = operation.node.item;
    if (asks_own(operation.verb, node.name)) return one("Node", node_json(stores.node));
    Actions<ExternalNode> actions;
    actions.kind = "Node";
    actions.subject = "node " + go_quoted(node.name);
    actions.absent = actions.subject + " doesn't exist";
    const bool by_id = operation.verb == "get" && !node.id.empty();
    actions.find = [&, by_id] { return by_id ? nodes.node_of_id(node.id) : nodes.node(node.name); };
    actions.index_of = [](const ExternalNode& each) { return each.modify_index; };
    actions.row = [](const ExternalNode& each) { return node_json(each); };
    actions.set = [&] { return nodes.set_node(node); };
    actions.remove = [&] { nodes.remove_node(node.name); };
    return act(actions, operation.verb, operation.node.modify_index);
}

Results run(Stores& stores, ServiceOperation& operation, Instant) {
    auto& nodes = stores.external;
    const auto& service = operation.service.item;
    Actions<ExternalService> actions;
    actions.kind = "Service";
    actions.subject = "service " + go_quoted(service.id) + " on node " + go_quoted(operation.node);
    actions.absent = actions.subject + " doesn't exist";
    if (asks_own(operation.verb, operation.node)) {
        const auto* own = stores.registry.service(service.id);
        return own ? one("Service", service_json(*own)) : Results(failed(actions.absent));
    }
    actions.find = [&] { return nodes.service(operation.node, service.id); };
    actions.index_of = [](const ExternalService& each) { return each.service.modify_index; };
    actions.row = [](const ExternalService& each) { return service_json(each.service); };
    actions.set = [&] { return nodes.set_service(operation.node, service); };
    actions.remove = [&] { nodes.remove_service(operation.node, service.id); };
    return act(actions, operation.verb, operation.service.modify_index);
}

Results run(Stores& stores, CheckOperation& operation, Instant) {
    auto& nodes = stores.external;
    const auto& check = operation.check.item;
    Actions<ExternalCheck> actions;
    actions.kind = "Check";
    actions.subject = "check " + go_quoted(check.id) + " on node " + go_quoted(check.node);
    actions.absent = actions.subject + " doesn't exist";
    if (asks_own(operation.verb, check.node)) {
        if (check.id == kNodeCheck) return one("Check", node_check_json());
        const auto* own = stores.registry.check(check.id);
        return own ? one("Check", check_json(stores.registry, *own)) : Results(failed(actions.absent));
    }
    actions.find = [&] { return nodes.check(check.node, check.id); };
    actions.index_of = [](const ExternalCheck& each) { return each.modify_index; };
    actions.row = [&](const ExternalCheck& each) { return check_json(nodes, each); };
    actions.set = [&] { return nodes.set_check(check); };
    actions.remove = [&] { nodes.remove_check(check.node, check.id); };
    return act(actions, operation.verb, operation.check.modify_index);
}

} // namespace

TransactionOutcome run_transaction(Stores& stores, std::span<Operation> operations, Instant now) {
    TransactionOutcome outcome;
    for (std::size_t i = 0; i < operations.size(); ++i) {
        auto found = std::visit([&](auto& each) { return objection(stores, each, now); }, operations[i]);
        if (found) outcome.errors.push_back({i, std::move(*found)});
    }
    if (!outcome.errors.empty()) return outcome;
    stores.begin_transaction();
    for (std::size_t i = 0; i < operations.size(); ++i) {
        auto results = std::visit([&](auto& each) { return run(stores, each, now); }, operations[i]);
        if (!results) {
            outcome.errors.push_back({i, results.error().message()});
            continue;
        }
        for (auto& each : *results)
            outcome.results.push_back(std::move(each));
    }
    if (outcome.errors.empty()) {
        stores.keep_transaction();
    } else {
        stores.take_transaction_back();
    }
    return outcome;
}

} // namespace flotilla::hub::consul
