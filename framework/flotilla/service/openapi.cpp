#include <flotilla/service/openapi.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/contract/versioned.hpp>
#include <flotilla/http/message.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/service/binding.hpp>
#include <flotilla/service/json_schema.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

constexpr std::string_view kProblem[] = {"Problem"};

/// RFC 9457 with our members (http/problem.hpp).
bj::object problem_schema() {
    const bj::object text{{"type", "string"}};
    const bj::object field_error{{"type", "object"},
                                 {"properties", bj::object{{"path", text}, {"message", text}}},
                                 {"required", bj::array{"path", "message"}}};
    return {{"type", "object"},
            {"description", "What went wrong (RFC 9457)."},
            {"properties",
             bj::object{{"type", bj::object{{"type", "string"}, {"format", "uri-reference"}}},
                        {"title", text},
                        {"status", bj::object{{"type", "integer"}, {"minimum", 400}, {"maximum", 599}}},
                        {"detail", text},
                        {"code", bj::object{{"type", "string"}, {"description", "Stable name of the error."}}},
                        {"error", bj::object{{"type", "string"}, {"description", "The same text as detail."}}},
                        {"errors", bj::object{{"type", "array"},
                                              {"description", "Every bad field of the request."},
                                              {"items", field_error}}},
                        {"instance", bj::object{{"type", "string"}, {"format", "uri-reference"}}},
                        {"traceId", text}}},
            {"required", bj::array{"type", "title", "status", "detail", "code", "error"}}};
}

bj::object problem_content() {
    return {{"application/problem+json", bj::object{{"schema", bj::object{{"$ref", "#/components/schemas/Problem"}}}}}};
}

/// The errors of one endpoint, by status and then in the order they were added.
class Problems {
public:
    void add(const Error& error) {
        auto& answer = by_status_[http::status_of(error)];
        if (!answer.codes.insert(error.code()).second) return;
        auto example = json::parse_value(http::problem_json(error, {}));
        if (!example) throw std::logic_error("a problem is no JSON: " + error.code());
        answer.examples[error.code()] = bj::object{{"summary", error.message()}, {"value", std::move(*example)}};
    }

    void write_to(bj::object& responses) const {
        for (const auto& [status, answer] : by_status_) {
            auto content = problem_content();
            content["application/problem+json"].as_object()["examples"] = answer.examples;
            responses[std::to_string(status)] =
                bj::object{{"description", http::reason_phrase(status)}, {"content", std::move(content)}};
        }
    }

private:
    struct Answer {
        std::set<std::string> codes;
        bj::object examples;
    };
    std::map<int, Answer> by_status_;
};

/// An endpoint's fields by where they travel.
struct Fields {
    std::vector<const FieldDescriptor*> path, query, body;

    explicit Fields(const EndpointInfo& endpoint) {
        for (const auto& field : endpoint.request->fields) {
            const auto parameter = "{" + std::string(field.json_name) + "}";
            auto& place = endpoint.path.contains(parameter) ? path : has_body(endpoint) ? body : query;
            place.push_back(&field);
        }
    }

    bool some_can_be_wrong() const {
        const auto fails = [](const FieldDescriptor* field) {
            return field->type->kind != TypeKind::string || field->type->constraint.has_length;
        };
        return !query.empty() || !body.empty() || std::ranges::any_of(path, fails);
    }
    bool body_is_required() const {
        return std::ranges::any_of(body, [](const auto* field) { return !field->type->may_be_absent(); });
    }
};

bj::object parameter_of(const FieldDescriptor& field, std::string_view place, JsonSchemas& schemas) {
    const auto& type = field.type->may_be_absent() ? field.type->element() : *field.type;
    const bool required = place == "path" || (!field.type->may_be_absent() && type.kind != TypeKind::array);
    return {{"name", field.json_name}, {"in", place}, {"required", required}, {"schema", schemas.schema_of(type)}};
}

/// A field value as it travels: visible ASCII, blanks within, so that its characters are its bytes.
bj::object idempotency_parameter() {
    const bj::object key{
        {"type", "string"}, {"minLength", 1}, {"maxLength", 255}, {"pattern", "^[!-~]([ -~]*[!-~])?$"}};
    return {{"name", "Idempotency-Key"},
            {"in", "header"},
            {"required", false},
            {"description", "Makes it safe to send the request again: the first answer is repeated for 24 hours."},
            {"schema", key}};
}

bj::object condition_parameter(std::string_view field, bool required, std::string_view description) {
    // Of opaque tags, so that what a service makes of a version stays its own affair.
    const bj::object tags{{"type", "string"}, {"pattern", R"(^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$)"}};
    return {{"name", field},  {"in", "header"},     {"required", required}, {"description", description},
            {"schema", tags}, {"example", R"("7")"}};
}

void add_conditions(const EndpointInfo& endpoint, bj::array& parameters) {
    if (changes_versioned(endpoint.method, endpoint.options)) {
        parameters.push_back(condition_parameter("If-Match", endpoint.options.if_match_required,
                                                 "The ETag that the change is meant for: 412 if there is another."));
    } else if (endpoint.options.versioned && is_read(endpoint.method)) {
        parameters.push_back(
            condition_parameter("If-None-Match", false, "The ETag that is known already: 304 if it is this one."));
    }
}

bj::array parameters_of(const EndpointInfo& endpoint, const Fields& fields, JsonSchemas& schemas) {
    bj::array parameters;
    for (const auto* field : fields.path)
        parameters.push_back(parameter_of(*field, "path", schemas));
    for (const auto* field : fields.query)
        parameters.push_back(parameter_of(*field, "query", schemas));
    if (endpoint.options.idempotent) parameters.push_back(idempotency_parameter());
    add_conditions(endpoint, parameters);
    return parameters;
}

bj::object json_content(bj::object schema) { return {{"application/json", bj::object{{"schema", std::move(schema)}}}}; }

bj::object streamed_body() {
    const bj::object schema{{"type", "string"}, {"format", "binary"}};
    return {{"required", true}, {"content", bj::object{{"application/octet-stream", bj::object{{"schema", schema}}}}}};
}

bj::object body_of(const EndpointInfo& endpoint, const Fields& fields, JsonSchemas& schemas) {
    auto schema = fields.path.empty() ? schemas.schema_of(*endpoint.request) : schemas.object_of(fields.body);
    if (const auto* list = only_list(*endpoint.request))
        schema = {{"oneOf", bj::array{std::move(schema), schemas.schema_of(*list->type)}}};
    return {{"required", fields.body_is_required()}, {"content", json_content(std::move(schema))}};
}

bj::object etag_header() {
    return {{"description", "The version of the resource, for If-Match and If-None-Match."},
            {"schema", bj::object{{"type", "string"}, {"pattern", R"(^"[0-9]+"$)"}}}};
}

bj::object success_of(const EndpointInfo& endpoint, JsonSchemas& schemas) {
    bj::object response{{"description", http::reason_phrase(success_status(endpoint))}};
    bj::object headers;
    if (endpoint.options.idempotent) {
        headers["Idempotency-Replayed"] =
            bj::object{{"description", "The answer to an earlier request with this Idempotency-Key."},
                       {"schema", bj::object{{"type", "string"}, {"const", "true"}}}};
    }
    if (endpoint.options.versioned && has_content(endpoint) && endpoint.method != Method::put)
        headers["ETag"] = etag_header();
    if (!headers.empty()) response["headers"] = std::move(headers);
    if (has_content(endpoint)) response["content"] = json_content(schemas.schema_of(*endpoint.response));
    return response;
}

void add_problems_of_versions(const EndpointInfo& endpoint, Problems& problems) {
    if (!endpoint.options.versioned) return;
    if (is_read(endpoint.method) || changes_versioned(endpoint.method, endpoint.options))
        problems.add(precondition_failed.with("7"));
    if (endpoint.options.if_match_required) problems.add(precondition_required);
}

/// The declared errors, and those of the request pipeline that this endpoint can meet.
Problems problems_of(const EndpointInfo& endpoint, const Fields& fields) {
    Problems problems;
    for (const auto& declared : endpoint.options.errors)
        problems.add(declared);
    if (fields.some_can_be_wrong()) {
        const auto& first = !fields.body.empty()    ? *fields.body.front()
                            : !fields.query.empty() ? *fields.query.front()
                                                    : *fields.path.front();
        problems.add(Error(Kind::invalid, "invalid_request", "The request is invalid")
                         .with_field(std::string(first.json_name), "is required"));
    }
    if (has_body(endpoint) || endpoint.streamed) {
        problems.add(Error(Kind::too_large, "content_too_large", "the body is too large"));
    }
    if (!fields.path.empty()) {
        problems.add(Error(Kind::invalid, "invalid_path", "The path is malformed"));
    }
    if (!fields.query.empty()) {
        problems.add(Error(Kind::invalid, "invalid_query", "The query has an invalid percent escape"));
    }
    if (!fields.body.empty()) {
        problems.add(Error(Kind::invalid, "invalid_json", "The body is not JSON"));
        problems.add(Error(Kind::unsupported, "unsupported_media_type", "Send application/json"));
    }
    if (endpoint.options.idempotent) {
        problems.add(Error(Kind::invalid, "invalid_idempotency_key", "Idempotency-Key must have 1 to 255 characters"));
        problems.add(Error(Kind::conflict, "idempotency_key_in_use",
                           "A request with this Idempotency-Key is being handled; try again"));
        problems.add(
            Error(Kind::unprocessable, "idempotency_key_reused", "The Idempotency-Key was used for another request"));
    }
    add_problems_of_versions(endpoint, problems);
    return problems;
}

bj::object operation_of(const EndpointInfo& endpoint, std::string operation_id, std::uint64_t body_bytes_max,
                        JsonSchemas& schemas) {
    const Fields fields(endpoint);
    bj::object operation{{"operationId", std::move(operation_id)}};
    if (!endpoint.options.summary.empty()) operation["summary"] = endpoint.options.summary;
    if (auto parameters = parameters_of(endpoint, fields, schemas); !parameters.empty())
        operation["parameters"] = std::move(parameters);
    if (!fields.body.empty()) operation["requestBody"] = body_of(endpoint, fields, schemas);
    if (endpoint.streamed) operation["requestBody"] = streamed_body();
    bj::object responses;
    responses[std::to_string(success_status(endpoint))] = success_of(endpoint, schemas);
    if (endpoint.options.versioned && is_read(endpoint.method)) {
        responses["304"] = bj::object{{"description", "Not Modified: If-None-Match lists its ETag"},
                                      {"headers", bj::object{{"ETag", etag_header()}}}};
    }
    problems_of(endpoint, fields).write_to(responses);
    if (has_body(endpoint) || endpoint.streamed) {
        const auto most = endpoint.options.body_bytes_max > 0 ? endpoint.options.body_bytes_max : body_bytes_max;
        responses["413"].as_object()["description"] =
            "Content Too Large: the body may have at most " + std::to_string(most) + " bytes";
    }
    responses["default"] = bj::object{{"$ref", "#/components/responses/Problem"}};
    operation["responses"] = std::move(responses);
    return operation;
}

/// "/a-b" and "/a/b" are different paths and would have the same name.
std::string unique(std::string name, std::set<std::string>& taken) {
    const auto wanted = name;
    for (int number = 2; !taken.insert(name).second; ++number)
        name = wanted + std::to_string(number);
    return name;
}

} // namespace

std::string openapi_document(std::string_view service, std::string_view version,
                             std::span<const EndpointInfo* const> endpoints, std::uint64_t body_bytes_max) {
    JsonSchemas schemas(kProblem);
    bj::object paths;
    std::set<std::string> operation_ids;
    for (const auto* endpoint : endpoints) {
        const auto method = ascii_lower(name(endpoint->method));
        auto& path = paths[endpoint->path];
        if (path.is_null()) path.emplace_object();
        auto id = unique(operation_name(method, endpoint->path), operation_ids);
        path.as_object()[method] = operation_of(*endpoint, std::move(id), body_bytes_max, schemas);
    }
    auto components = schemas.components();
    components["Problem"] = problem_schema();
    const bj::object problem{{"description", "Any other failure"}, {"content", problem_content()}};
    return bj::serialize(bj::object{{"openapi", "3.1.0"},
                                    {"info", bj::object{{"title", service}, {"version", version}}},
                                    {"paths", std::move(paths)},
                                    {"components", bj::object{{"schemas", std::move(components)},
                                                              {"responses", bj::object{{"Problem", problem}}}}}});
}

} // namespace flotilla
