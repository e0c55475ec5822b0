#include "hub/consul/rows.hpp"

#include <flotilla/base/base64.hpp>
#include <flotilla/base/json.hpp>

namespace flotilla::hub::consul {
namespace {

struct CheckLimits {
    std::uint32_t successes_before_passing{}, failures_before_warning{}, failures_before_critical{}, output_bytes_max{};
};

struct CheckRow {
    std::string id, name, notes, service_id, http, method, body, tcp;
    CheckType type{};
    std::vector<CheckHeader> headers;
    std::int64_t interval{}, timeout{}, ttl{}, deregister_after{}; // nanoseconds
    CheckStatus status{};
    std::string output;
    std::uint64_t create_index{}, modify_index{};
    std::optional<CheckLimits> limits; // absent in what older versions stored
};

struct KvRow {
    std::string value; // base64
    std::uint64_t flags{};
    std::string session;
    std::uint64_t create_index{}, modify_index{}, lock_index{};
};

struct SessionRow {
    std::string id, name, node, ttl_text;
    std::int64_t lock_delay{}, ttl{}; // nanoseconds
    SessionBehavior behavior{};
    std::vector<std::string> checks;
    std::uint64_t create_index{}, modify_index{};
    std::optional<std::vector<std::string>> node_checks, service_checks; // absent in what older versions stored
};

struct NodeRow {
    std::string node_id;
    std::uint64_t index{}, kv_index{}, session_index{};
};

std::string_view kind_of(Table table) {
    switch (table) {
    case Table::service:
        return "service";
    case Table::check:
        return "check";
    case Table::kv:
        return "kv";
    case Table::session:
        return "session";
    case Table::meta:
        return "meta";
    case Table::node:
        return "node";
    case Table::node_service:
        return "node_service";
    case Table::node_check:
        return "node_check";
    }
    return "meta";
}

std::string write(const RegisteredCheck& check) {
    const auto& definition = check.definition;
    return json::write(CheckRow{definition.id, definition.name, definition.notes, definition.service_id,
                                definition.http, definition.method, definition.body, definition.tcp, definition.type,
                                definition.headers, definition.interval.count(), definition.timeout.count(),
                                definition.ttl.count(), definition.deregister_after.count(), check.status, check.output,
                                check.create_index, check.modify_index,
                                CheckLimits{definition.successes_before_passing, definition.failures_before_warning,
                                            definition.failures_before_critical, definition.output_bytes_max}});
}

RegisteredCheck read(CheckRow row) {
    RegisteredCheck check;
    auto& definition = check.definition;
    definition.id = std::move(row.id);
    definition.name = std::move(row.name);
    definition.notes = std::move(row.notes);
    definition.service_id = std::move(row.service_id);
    definition.type = row.type;
    definition.http = std::move(row.http);
    definition.method = std::move(row.method);
    definition.headers = std::move(row.headers);
    definition.body = std::move(row.body);
    definition.tcp = std::move(row.tcp);
    definition.interval = Duration(row.interval);
    definition.timeout = Duration(row.timeout);
    definition.ttl = Duration(row.ttl);
    definition.deregister_after = Duration(row.deregister_after);
    if (row.limits) {
        definition.successes_before_passing = row.limits->successes_before_passing;
        definition.failures_before_warning = row.limits->failures_before_warning;
        definition.failures_before_critical = row.limits->failures_before_critical;
        definition.output_bytes_max = row.limits->output_bytes_max;
    }
    check.status = row.status;
    check.output = std::move(row.output);
    check.create_index = row.create_index;
    check.modify_index = row.modify_index;
    return check;
}

std::string write(const Session& session) {
    return json::write(SessionRow{session.id, session.name, session.node, session.ttl_text, session.lock_delay.count(),
                                  session.ttl.count(), session.behavior, session.checks, session.create_index,
                                  session.modify_index, session.node_checks, session.service_checks});
}

Session read(SessionRow row) {
    Session session;
    session.id = std::move(row.id);
    session.name = std::move(row.name);
    session.node = std::move(row.node);
    session.lock_delay = Duration(row.lock_delay);
    session.behavior = row.behavior;
    session.ttl_text = std::move(row.ttl_text);
    session.ttl = Duration(row.ttl);
    // What older versions called checks was shown as the node's.
    session.node_checks = row.node_checks ? std::move(*row.node_checks) : std::move(row.checks);
    if (row.node_checks) session.checks = std::move(row.checks);
    session.service_checks = std::move(row.service_checks).value_or(std::vector<std::string>());
    session.create_index = row.create_index;
    session.modify_index = row.modify_index;
    return session;
}

template <class Map>
std::optional<std::string> entry_of(const Map& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? std::nullopt : std::optional(json::write(found->second));
}

std::optional<std::string> document_of(const Stores& stores, Table table, const std::string& id) {
    switch (table) {
    case Table::service:
        if (const auto* service = stores.registry.service(id)) return json::write(*service);
        return std::nullopt;
    case Table::check:
        if (const auto* check = stores.registry.check(id)) return write(*check);
        return std::nullopt;
    case Table::kv:
        if (const auto* entry = stores.kv.find(id)) {
            return json::write(KvRow{base64(entry->value), entry->flags, entry->session, entry->create_index,
                                     entry->modify_index, entry->lock_index});
        }
        return std::nullopt;
    case Table::session:
        if (const auto* session = stores.sessions.find(id)) return write(*session);
        return std::nullopt;
    case Table::meta:
        return json::write(stores.registry.meta());
    case Table::node:
        return entry_of(stores.external.nodes(), id);
    case Table::node_service:
        return entry_of(stores.external.services(), id);
    case Table::node_check:
        return entry_of(stores.external.checks(), id);
    }
    return std::nullopt;
}

template <class T>
Result<T> read_document(const StoredRow& row) {
    auto value = json::parse<T>(row.document);
    if (value) return value;
    return Error(Kind::internal, "the registry's stored " + row.kind + " \"" + row.id +
                                     "\" cannot be read: " + value.error().message());
}

struct Loaded {
    RegistryState::Meta meta;
    NodeRow node;
    std::vector<RegisteredService> services;
    std::vector<RegisteredCheck> checks;
    std::vector<KvEntry> entries;
    std::vector<Session> sessions;
    std::vector<ExternalNode> nodes;
    std::vector<ExternalService> node_services;
    std::vector<ExternalCheck> node_checks;
};

template <class T, class Into>
Result<void> append(const StoredRow& row, Into& into) {
    auto value = read_document<T>(row);
    if (!value) return std::move(value.error());
    if constexpr (std::same_as<typename Into::value_type, T>) {
        into.push_back(std::move(*value));
    } else {
        into.push_back(read(std::move(*value)));
    }
    return {};
}

Result<void> load(const StoredRow& row, Loaded& loaded) {
    if (row.kind == "service") return append<RegisteredService>(row, loaded.services);
    if (row.kind == "check") return append<CheckRow>(row, loaded.checks);
    if (row.kind == "node") return append<ExternalNode>(row, loaded.nodes);
    if (row.kind == "node_service") return append<ExternalService>(row, loaded.node_services);
    if (row.kind == "node_check") return append<ExternalCheck>(row, loaded.node_checks);
    if (row.kind == "session") return append<SessionRow>(row, loaded.sessions);
    if (row.kind == "kv") {
        auto entry = read_document<KvRow>(row);
        if (!entry) return std::move(entry.error());
        auto value = parse_base64(entry->value);
        if (!value) return Error(Kind::internal, "the stored value of key \"" + row.id + "\" cannot be read");
        loaded.entries.push_back({row.id, std::move(*value), entry->flags, std::move(entry->session),
                                  entry->create_index, entry->modify_index, entry->lock_index});
        return {};
    }
    if (row.id == "node") {
        auto node = read_document<NodeRow>(row);
        if (!node) return std::move(node.error());
        loaded.node = std::move(*node);
        return {};
    }
    auto meta = read_document<RegistryState::Meta>(row);
    if (!meta) return std::move(meta.error());
    loaded.meta = std::move(*meta);
    return {};
}

} // namespace

std::vector<RowChange> rows_of(const Stores& stores, const std::set<std::pair<Table, std::string>>& changed) {
    std::vector<RowChange> rows;
    rows.reserve(changed.size() + 1);
    for (const auto& [table, id] : changed) {
        if (table == Table::meta && id != "registry") continue; // part of the node's row
        rows.push_back({std::string(kind_of(table)), id, document_of(stores, table, id)});
    }
    rows.push_back({"meta", "node",
                    json::write(NodeRow{stores.node.id, stores.index.current, stores.kv.last_index(),
                                        stores.sessions.last_index()})});
    return rows;
}

Result<void> restore(Stores& stores, const std::vector<StoredRow>& rows, Instant now) {
    Loaded loaded;
    for (const auto& row : rows) {
        if (auto done = load(row, loaded); !done) return done;
    }
    if (loaded.node.node_id.empty()) return {}; // the first start
    stores.node.id = loaded.node.node_id;
    stores.index.current = loaded.node.index;
    // Nodes have no index of their own on disk; this one is never below theirs.
    stores.external.restore(loaded.meta.node_index, std::move(loaded.nodes), std::move(loaded.node_services),
                            std::move(loaded.node_checks));
    stores.registry.restore(std::move(loaded.meta), std::move(loaded.services), std::move(loaded.checks), now);
    stores.kv.restore(loaded.node.kv_index, std::move(loaded.entries));
    stores.sessions.restore(loaded.node.session_index, std::move(loaded.sessions), now);
    return {};
}

} // namespace flotilla::hub::consul
