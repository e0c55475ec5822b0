#include <array>

#include <fmt/format.h>

#include <flotilla/base/base64.hpp>

#include "hub/consul/go_text.hpp"
#include "hub/consul/json_fields.hpp"
#include "hub/consul/limits.hpp"
#include "hub/consul/request.hpp"
#include "hub/consul/transaction.hpp"

namespace flotilla::hub::consul {
namespace {

namespace bj = boost::json;

constexpr std::size_t kOperationsMax = 128;
constexpr std::size_t kBodyBytesMax = 512 * 1024; // Consul's txn_max_req_len

bj::value errors_json(const std::vector<OperationError>& errors) {
    if (errors.empty()) return nullptr;
    bj::array list;
    for (const auto& each : errors)
        list.push_back(bj::object{{"OpIndex", each.operation}, {"What", each.what}});
    return list;
}

/// Bodies are undecodable in other words here than elsewhere, as in Consul.
ConsulReply undecodable(const Error& error) {
    constexpr std::string_view kElsewhere = "Request decode failed: ";
    std::string_view text = error.message();
    if (text.starts_with(kElsewhere)) text.remove_prefix(kElsewhere.size());
    return reply_text(400, "Failed to parse body: " + std::string(text));
}

// What is written of one operation ---------------------------------------------------------------------------------

Result<Operation> parse_kv(JsonFields& fields) {
    KvOperation operation;
    operation.verb = fields.text("Verb");
    operation.key = fields.text("Key");
    operation.session = fields.text("Session");
    operation.flags = fields.unsigned_number("Flags");
    operation.index = fields.unsigned_number("Index");
    auto value = parse_base64(fields.text("Value"));
    if (!value) fields.fail("Value", "base64 with padding");
    fields.finish();
    if (fields.error()) return *fields.error();
    operation.value = std::move(*value);
    return operation;
}

Result<Operation> parse_node(JsonFields& fields) {
    NodeOperation operation;
    operation.verb = fields.text("Verb");
    const auto* object = fields.object("Node");
    fields.finish();
    if (fields.error()) return *fields.error();
    auto node = parse_external_node(object ? *object : bj::object());
    if (!node) return std::move(node.error());
    operation.node = std::move(*node);
    return operation;
}

Result<Operation> parse_service(JsonFields& fields) {
    ServiceOperation operation;
    operation.verb = fields.text("Verb");
    operation.node = fields.text("Node");
    const auto* object = fields.object("Service");
    fields.finish();
    if (fields.error()) return *fields.error();
    auto service = parse_external_service(object ? *object : bj::object());
    if (!service) return std::move(service.error());
    operation.service = std::move(*service);
    return operation;
}

Result<Operation> parse_check(JsonFields& fields) {
    CheckOperation operation;
    operation.verb = fields.text("Verb");
    const auto* object = fields.object("Check");
    fields.finish();
    if (fields.error()) return *fields.error();
    auto check = parse_external_check(object ? *object : bj::object());
    if (!check) return std::move(check.error());
    operation.check = std::move(*check);
    return operation;
}

Result<Operation> parse_operation(const bj::object& object) {
    struct Reader {
        std::string_view member;
        Result<Operation> (*parse)(JsonFields&);
    };
    static constexpr std::array<Reader, 4> kReaders{
        {{"KV", &parse_kv}, {"Node", &parse_node}, {"Service", &parse_service}, {"Check", &parse_check}}};
    JsonFields fields(object);
    const Reader* reader = nullptr;
    const bj::object* written = nullptr;
    for (const auto& each : kReaders) {
        const auto* found = fields.object(each.member);
        if (found && reader) return Error(Kind::invalid, "an operation is one of KV, Node, Service and Check");
        if (!found) continue;
        reader = &each;
        written = found;
    }
    fields.finish();
    if (fields.error()) return *fields.error();
    if (!reader) return Error(Kind::invalid, "an operation is one of KV, Node, Service and Check");
    JsonFields own(*written);
    return reader->parse(own);
}

Result<std::vector<Operation>> parse_operations(const bj::value& body) {
    std::vector<Operation> operations;
    if (body.is_null()) return operations;
    const auto* list = body.if_array();
    if (!list) return Error(Kind::invalid, "expected a list of operations");
    for (std::size_t i = 0; i < list->size(); ++i) {
        const auto* object = (*list)[i].if_object();
        if (!object) return Error(Kind::invalid, fmt::format("expected an object as operation {}", i));
        auto operation = parse_operation(*object);
        if (!operation) return std::move(operation.error());
        operations.push_back(std::move(*operation));
    }
    return operations;
}

/// At most: what replaces something adds nothing.
Additions additions_of(const std::vector<Operation>& operations) {
    Additions more;
    for (const auto& each : operations) {
        if (const auto* kv = std::get_if<KvOperation>(&each)) {
            more.keys += kv->verb == "set" || kv->verb == "cas" || kv->verb == "lock" ? 1 : 0;
            more.bytes += kv->value.size();
        }
        more.nodes += std::holds_alternative<NodeOperation>(each) ? 1 : 0;
        more.services += std::holds_alternative<ServiceOperation>(each) ? 1 : 0;
        more.checks += std::holds_alternative<CheckOperation>(each) ? 1 : 0;
    }
    return more;
}

ConsulReply transact(Stores& stores, const ConsulRequest& request) {
    if (request.body.size() > kBodyBytesMax)
        return reply_text(413, fmt::format("Request body too large, max size: {} bytes", kBodyBytesMax));
    const auto body = parse_body(request.body);
    if (!body) return undecodable(body.error());
    const auto* list = body->if_array();
    if (list && list->size() > kOperationsMax) {
        return reply_text(
            413, fmt::format("Transaction contains too many operations ({} > {})", list->size(), kOperationsMax));
    }
    auto operations = parse_operations(*body);
    if (!operations) return undecodable(operations.error());
    for (const auto& each : *operations) {
        const auto* kv = std::get_if<KvOperation>(&each);
        if (!kv || kv->value.size() <= kKvValueBytesMax) continue;
        return reply_text(413, fmt::format("Value for key {} is too large ({} > {} bytes)", go_quoted(kv->key),
                                           kv->value.size(), kKvValueBytesMax));
    }
    if (auto full = reply_if_full(stores, additions_of(*operations))) return std::move(*full);
    auto outcome = run_transaction(stores, *operations, request.now);
    const bool failed = !outcome.errors.empty();
    auto reply = reply_json(bj::object{{"Results", failed ? bj::value(nullptr) : bj::value(std::move(outcome.results))},
                                       {"Errors", errors_json(outcome.errors)}});
    if (failed) reply.status = 409;
    return reply;
}

} // namespace

std::span<const Route> transaction_routes() {
    static const std::array<Route, 1> routes{{{"/v1/txn", {Method::put}, &transact}}};
    return routes;
}

} // namespace flotilla::hub::consul
