#include <flotilla/service/binding.hpp>

#include <algorithm>

#include <flotilla/base/json.hpp>
#include <flotilla/http/content_type.hpp>

namespace flotilla {
namespace {

/// Sets one field; a bad text becomes a FieldError under the name the client used.
void set_field(const FieldDescriptor& field, void* request, std::string_view text, std::vector<FieldError>& errors) {
    auto set = json::set_from_text(*field.type, field.in(request), text);
    if (!set) errors.push_back({std::string(field.json_name), set.error().message()});
}

Result<void> bind_query(const EndpointInfo& endpoint, std::string_view query, void* request, json::FieldSet& bound,
                        std::vector<FieldError>& errors) {
    const auto pairs = http::parse_query(query);
    if (!pairs) return Error(Kind::invalid, "invalid_query", "the query has an invalid percent escape");
    const auto& type = *endpoint.request;
    const json::FieldSet from_path = bound;
    for (const auto& [name, text] : *pairs) {
        const auto* field = field_named_json(type, name);
        if (!field) continue;
        const auto index = static_cast<std::size_t>(field - type.fields.data());
        if (from_path[index]) continue;
        if (bound[index] && field->type->kind != TypeKind::array) {
            errors.push_back({name, "is given more than once"});
            continue;
        }
        bound.set(index);
        set_field(*field, request, text, errors);
    }
    for (std::size_t i = 0; i < type.fields.size(); ++i) {
        const auto& field = type.fields[i];
        if (!bound[i] && !field.type->may_be_absent() && field.type->kind != TypeKind::array) {
            errors.push_back({std::string(field.json_name), "is required"});
        }
    }
    return {};
}

/// The text of one scalar, as it stands in a path or query; false when it is absent.
bool append_text(const TypeDescriptor& type, const void* value, std::string& out) {
    if (type.kind == TypeKind::optional || type.kind == TypeKind::patch) {
        const void* inner = type.optional->get(value);
        return inner && append_text(type.element(), inner, out);
    }
    std::string json;
    json::write_to(json, type, value);
    if (!json.starts_with('"')) {
        out += http::percent_encode(json);
        return true;
    }
    std::string text;
    auto read = json::parse<std::string>(json);
    if (read) out += http::percent_encode(*read);
    return read.has_value();
}

void append_query(const FieldDescriptor& field, const void* request, std::string& target) {
    const auto append_one = [&](const TypeDescriptor& type, const void* value) {
        std::string text;
        if (!append_text(type, value, text)) return;
        target += target.contains('?') ? '&' : '?';
        target += http::percent_encode(field.json_name);
        target += '=';
        target += text;
    };
    if (field.type->kind != TypeKind::array) return append_one(*field.type, field.in(request));
    const auto& array = *field.type->array;
    const auto* element = static_cast<const char*>(array.data(field.in(request)));
    for (std::size_t i = 0; i < array.size(field.in(request)); ++i) {
        append_one(field.type->element(), element + i * field.type->element().size);
    }
}

/// The field of a request that is nothing but a list, when it was sent as that list; nullptr otherwise.
const FieldDescriptor* sent_as_list(const TypeDescriptor& type, std::string_view body) {
    const auto start = body.find_first_not_of(" \t\r\n");
    return start != std::string_view::npos && body[start] == '[' ? only_list(type) : nullptr;
}

Error names_nothing(const EndpointInfo& endpoint, std::string_view field) {
    for (const auto& declared : endpoint.options.errors)
        if (declared.kind == Kind::not_found) return declared;
    return json::invalid_request(
        {{std::string(field), "must not be empty: it is part of the path " + std::string(endpoint.path)}});
}

} // namespace

bool has_body(const EndpointInfo& endpoint) {
    if (endpoint.streamed) return false;
    return endpoint.method == Method::post || endpoint.method == Method::put || endpoint.method == Method::patch;
}

const FieldDescriptor* only_list(const TypeDescriptor& request) {
    const bool is_list = request.fields.size() == 1 && request.fields.front().type->kind == TypeKind::array;
    return is_list ? &request.fields.front() : nullptr;
}

bool has_content(const EndpointInfo& endpoint) {
    return endpoint.response->kind != TypeKind::structure || !endpoint.response->fields.empty();
}

int success_status(const EndpointInfo& endpoint) {
    const int declared = endpoint.options.success;
    return declared == 200 && !has_content(endpoint) ? 204 : declared;
}

Result<void> bind_request(const EndpointInfo& endpoint, const http::PathParameters& parameters,
                          const http::RequestHead& head, std::string_view body, void* request) {
    const auto& type = *endpoint.request;
    json::FieldSet bound;
    std::vector<FieldError> errors;
    for (const auto& [name, text] : parameters) {
        const auto* field = field_named_json(type, name); // there is one: Endpoint's constructor checked
        bound.set(static_cast<std::size_t>(field - type.fields.data()));
        set_field(*field, request, text, errors);
    }
    if (!has_body(endpoint)) {
        if (auto read = bind_query(endpoint, head.query(), request, bound, errors); !read) return read;
    } else if (bound.count() < type.fields.size()) {
        if (!body.empty()) {
            if (auto json = http::check_json_content(head.headers); !json) return json;
        }
        const auto* list = sent_as_list(type, body);
        auto read = list ? json::parse_into(body, *list->type, list->in(request))
                         : json::parse_into(body.empty() ? "{}" : body, type, request, bound);
        if (!read && read.error().fields().empty()) return read;
        if (!read) std::ranges::copy(read.error().fields(), std::back_inserter(errors));
    }
    if (!errors.empty()) return json::invalid_request(std::move(errors));
    return {};
}

Result<http::Request> make_request(const EndpointInfo& endpoint, const void* request) {
    const auto& type = *endpoint.request;
    http::Request made;
    made.head.method = endpoint.method;
    made.head.method_name = name(endpoint.method);
    std::string target;
    json::FieldSet in_path;
    for (auto rest = endpoint.path; !rest.empty();) {
        const auto open = rest.find('{');
        target += rest.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = rest.find('}', open);
        const auto* field = field_named_json(type, rest.substr(open + 1, close - open - 1));
        in_path.set(static_cast<std::size_t>(field - type.fields.data()));
        const auto before = target.size();
        append_text(*field->type, field->in(request), target);
        if (target.size() == before) return names_nothing(endpoint, field->json_name);
        rest.remove_prefix(close + 1);
    }
    if (has_body(endpoint)) {
        json::write_to(made.body, type, request);
        made.head.headers.add("content-type", "application/json");
    } else {
        for (std::size_t i = 0; i < type.fields.size(); ++i) {
            if (!in_path[i]) append_query(type.fields[i], request, target);
        }
    }
    made.head.target = std::move(target);
    return made;
}

} // namespace flotilla
