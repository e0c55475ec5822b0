#include <flotilla/http/problem.hpp>

#include <charconv>

#include <flotilla/base/json.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/http/http1/characters.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kForeignMessageMax = 512;

bool wants_retry_after(int status) { return status == 429 || status == 503; }

void member(std::string& out, std::string_view name, std::string_view value) {
    out.append(out.size() > 1 ? ",\"" : "\"").append(name).append("\":");
    json::quote(out, value);
}

void append_field_errors(std::string& out, const std::vector<FieldError>& fields) {
    if (fields.empty()) return;
    out.append(",\"errors\":[");
    for (const auto& field : fields) {
        if (out.back() != '[') out.push_back(',');
        std::string object = "{";
        member(object, "path", field.path);
        member(object, "message", field.message);
        out.append(object).push_back('}');
    }
    out.push_back(']');
}

/// A member of a JSON object as text, or empty.
std::string text_member(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    const auto* text = value ? value->if_string() : nullptr;
    return text ? std::string(text->data(), text->size()) : std::string();
}

std::vector<FieldError> field_errors(const boost::json::object& object) {
    std::vector<FieldError> fields;
    const auto* value = object.if_contains("errors");
    const auto* list = value ? value->if_array() : nullptr;
    if (!list) return fields;
    for (const auto& element : *list) {
        const auto* each = element.if_object();
        if (each) fields.push_back({text_member(*each, "path"), text_member(*each, "message")});
    }
    return fields;
}

} // namespace

Duration retry_after(const Headers& headers) {
    const auto text = headers.get("retry-after").value_or("");
    int seconds = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool valid = failure == std::errc() && end == text.data() + text.size() && seconds > 0;
    return valid ? std::chrono::seconds(seconds) : Duration::zero(); // the date form is not ours; unknown is allowed
}

bool says_no_retry(const Headers& headers) { return headers.get("flotilla-retry") == "no"; }

int status_of(const Error& error) {
    const std::string_view code = error.code();
    if (error.kind() == Kind::invalid) {
        if (code == "request_timeout") return 408;
        if (code == "precondition_failed") return 412;
        if (code == "uri_too_long") return 414;
        if (code == "range_not_satisfiable") return 416;
        if (code == "expectation_failed") return 417;
        if (code == "misdirected_request") return 421;
        if (code == "precondition_required") return 428;
        if (code == "header_fields_too_large") return 431;
    }
    if (error.kind() == Kind::unimplemented && code == "http_version_not_supported") return 505;
    if (error.kind() == Kind::bad_gateway && code == "loop_detected") return 508;
    return http_status(error.kind());
}

std::string problem_json(const Error& error, std::string_view instance, std::string_view trace_id) {
    return problem_json(error, status_of(error), instance, trace_id);
}

std::string problem_json(const Error& error, int status, std::string_view instance, std::string_view trace_id) {
    const bool secret = error.kind() == Kind::internal;
    const std::string_view message = secret ? std::string_view("Internal server error") : error.message();
    const std::string_view code = secret ? name(Kind::internal) : error.code();
    std::string out = "{";
    out.reserve(256 + 2 * message.size());
    const bool plain = code == name(error.kind());
    member(out, "type", plain ? "about:blank" : "urn:flotilla:error:" + std::string(code));
    member(out, "title", reason_phrase(status));
    out.append(",\"status\":").append(std::to_string(status));
    member(out, "detail", message);
    member(out, "code", code);
    member(out, "error", message);
    if (!secret) append_field_errors(out, error.fields());
    if (!instance.empty()) member(out, "instance", instance);
    if (!trace_id.empty()) member(out, "traceId", trace_id);
    out.push_back('}');
    return out;
}

std::string_view asked_path(const RequestHead& request) {
    const auto forwarded = request.headers.get("x-forwarded-path");
    const bool valid = forwarded && forwarded->size() <= kForwardedPathBytesMax && is_origin_target(*forwarded) &&
                       forwarded->find('?') == std::string_view::npos;
    return valid ? *forwarded : request.path();
}

task<Result<void>> respond_options(Context& context, Exchange& exchange, std::string_view allow) {
    ResponseHead head{.status = 204};
    const bool listed = allow.find("OPTIONS") != std::string_view::npos;
    head.headers.add("allow", listed ? std::string(allow) : std::string(allow) + ", OPTIONS");
    co_return co_await exchange.respond(context, head, {});
}

void add_problem_headers(Headers& headers, const Error& error, std::string_view allow) {
    headers.add("Content-Type", "application/problem+json");
    const auto wait = error.retry_after();
    if (wait > Duration::zero() || wants_retry_after(status_of(error))) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
        headers.add("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    }
    if (!error.retry_helps() && status_of(error) >= 500) headers.add("Flotilla-Retry", "no");
    if (!allow.empty()) headers.add("Allow", allow);
}

task<Result<void>> respond_error(Context& context, Exchange& exchange, const Error& error, std::string_view allow) {
    ResponseHead head;
    head.status = status_of(error);
    add_problem_headers(head.headers, error, allow);
    const auto body = problem_json(error, asked_path(exchange.request()), context.trace.trace_id_hex());
    co_return co_await exchange.respond(context, head, body);
}

Error error_from_problem(const Response& response) {
    const auto kind = kind_of_http_status(response.status());
    std::string code, message;
    std::vector<FieldError> fields;
    if (auto value = json::parse_value(response.body); value && value->is_object()) {
        const auto& object = value->get_object();
        code = text_member(object, "code");
        message = text_member(object, "detail");
        if (message.empty()) message = text_member(object, "error");
        if (message.empty()) message = text_member(object, "message");
        if (message.empty()) message = text_member(object, "title");
        fields = field_errors(object);
    } else if (response.head.headers.get("content-type").value_or("").starts_with("text/plain")) {
        message = response.body.substr(0, kForeignMessageMax);
    }
    if (code.empty()) code = name(kind);
    if (message.empty()) {
        message = "the answer was " + std::to_string(response.status());
        if (const auto phrase = reason_phrase(response.status()); !phrase.empty()) message.append(" ").append(phrase);
    }
    auto error = Error(kind, std::move(code), std::move(message))
                     .with_fields(std::move(fields))
                     .with_retry_after(retry_after(response.head.headers));
    return says_no_retry(response.head.headers) ? std::move(error).with_no_retry() : std::move(error);
}

} // namespace flotilla::http
