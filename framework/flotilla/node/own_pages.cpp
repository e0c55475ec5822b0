#include <flotilla/node/own_pages.hpp>

#include <algorithm>

#include <flotilla/base/json.hpp>
#include <flotilla/http/problem.hpp>

namespace flotilla {
namespace {

constexpr std::uint64_t kOperationBytesMax = 1 << 20;

} // namespace

OwnPages::OwnPages(Identity identity, HealthSource health, const Metrics& metrics)
    : identity_(std::move(identity)), health_(std::move(health)), metrics_(metrics),
      paths_(kOwnPagePaths.begin(), kOwnPagePaths.end()) {}

void OwnPages::add_document(std::string path, std::string content_type, std::string text) {
    add_page(std::move(path), std::move(content_type), [text = std::move(text)] { return text; });
}

void OwnPages::add_page(std::string path, std::string content_type, std::function<std::string()> text) {
    const auto known = std::ranges::find(added_, path, &Added::path);
    if (known != added_.end()) {
        known->content_type = std::move(content_type);
        known->text = std::move(text);
        return;
    }
    paths_.push_back(path);
    added_.push_back({std::move(path), std::move(content_type), std::move(text)});
}

void OwnPages::add_operation(std::string path, Method method, OwnAnswer answer) {
    paths_.push_back(path);
    operations_.push_back({std::move(path), method, std::move(answer)});
}

bool OwnPages::has(std::string_view path) const { return std::ranges::find(paths_, path) != paths_.end(); }

task<void> OwnPages::answer(Context& context, http::Exchange& exchange, std::string_view path) {
    if (path == "*") {
        if (auto sent = co_await http::respond_options(context, exchange, http::kServerMethods); !sent)
            exchange.reset();
        co_return;
    }
    const auto operation = std::ranges::find(operations_, path, &Operation::path);
    if (operation != operations_.end()) co_return co_await carry_out(context, exchange, *operation);
    const auto method = exchange.request().method;
    if (method != Method::get && method != Method::head) {
        const Error error(Kind::method_not_allowed, "Method not allowed");
        auto refused = co_await http::respond_error(context, exchange, error, "GET, HEAD");
        if (!refused) exchange.reset();
        co_return;
    }
    const Page page = page_of(path);
    http::ResponseHead head{.status = page.status};
    head.headers.add("cache-control", "no-store");
    head.headers.add("content-type", page.content_type);
    auto answered = co_await exchange.respond(context, head, page.body);
    if (!answered) exchange.reset();
}

task<void> OwnPages::carry_out(Context& context, http::Exchange& exchange, const Operation& operation) {
    auto outcome = co_await outcome_of(context, exchange, operation);
    Result<void> answered;
    if (outcome) {
        http::ResponseHead head;
        head.headers.add("cache-control", "no-store");
        head.headers.add("content-type", "application/json");
        answered = co_await exchange.respond(context, head, *outcome);
    } else {
        answered = co_await http::respond_error(context, exchange, outcome.error(), name(operation.method));
    }
    if (!answered) exchange.reset();
}

task<Result<std::string>> OwnPages::outcome_of(Context& context, http::Exchange& exchange, const Operation& operation) {
    const auto& request = exchange.request();
    if (request.method != operation.method) co_return Error(Kind::method_not_allowed, "Method not allowed");
    OwnRequest asked{.method = request.method, .query = std::string(request.query()), .body = {}};
    if (operation.method == Method::post) {
        const auto type = request.headers.get("content-type");
        if (!type || !type->starts_with("application/json"))
            co_return Error(Kind::unsupported, "the body must be application/json");
        co_await must(exchange.limit_body(kOperationBytesMax));
        asked.body = co_await must(exchange.read_all(context));
    }
    co_return co_await operation.answer(context, std::move(asked));
}

OwnPages::Page OwnPages::page_of(std::string_view path) const {
    if (path == "/metrics") {
        return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.prometheus_text()};
    }
    const auto added = std::ranges::find(added_, path, &Added::path);
    if (added != added_.end()) return {.content_type = added->content_type, .body = added->text()};
    return health_page(path);
}

OwnPages::Page OwnPages::health_page(std::string_view path) const {
    HealthReport report{.status = "ok"};
    if (path != "/livez") report = health_();
    report.service = identity_.service;
    report.instance = identity_.instance;
    report.version = identity_.version;
    const bool failed = path == "/healthz" ? report.status != "ok" : report.status == "unavailable";
    return {.status = failed ? 503 : 200, .content_type = "application/json", .body = json::write(report)};
}

} // namespace flotilla
