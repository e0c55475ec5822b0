#include "gateway/core/own_endpoints.hpp"

#include <flotilla/base/json.hpp>
#include <flotilla/http/problem.hpp>

namespace flotilla::gateway {

void OwnEndpoints::set_identity(std::string instance, std::string version) {
    instance_ = std::move(instance);
    version_ = std::move(version);
}

task<void> OwnEndpoints::answer(Context& context, http::Exchange& exchange, std::string_view path) {
    const auto& request = exchange.request();
    if (path == "*") {
        if (auto sent = co_await http::respond_options(context, exchange, http::kServerMethods); !sent)
            exchange.reset();
        co_return;
    }
    if (request.method != Method::get && request.method != Method::head) {
        const Error error(Kind::method_not_allowed, "the gateway's own paths answer GET");
        if (auto sent = co_await http::respond_error(context, exchange, error, "GET, HEAD"); !sent) exchange.reset();
        co_return;
    }
    http::ResponseHead head;
    head.headers.add("cache-control", "no-store");
    std::string body;
    if (path == "/metrics") {
        head.headers.add("content-type", "text/plain; version=0.0.4; charset=utf-8");
        body = metrics_.prometheus_text();
    } else {
        HealthReport report{.status = "ok"};
        if (path != "/livez") report = health_.report(draining_);
        report.service = "gateway";
        report.instance = instance_;
        report.version = version_;
        const bool failed = path == "/healthz" ? report.status != "ok" : report.status == "unavailable";
        if (failed) head.status = 503;
        head.headers.add("content-type", "application/json");
        body = json::write(report);
    }
    if (auto sent = co_await exchange.respond(context, head, body); !sent) exchange.reset();
}

} // namespace flotilla::gateway
