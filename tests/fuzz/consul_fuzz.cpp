#include <chrono>
#include <string>
#include <utility>

#include <flotilla/base/json_value.hpp>
#include <flotilla/http/message.hpp>

#include "hub/consul/definitions.hpp"
#include "hub/consul/go_duration.hpp"
#include "hub/consul/request.hpp"
#include "hub/consul/rows.hpp"
#include "tests/fuzz/fuzz.hpp"

// An input that starts with '{' is a registration. Any other is a session of requests, one a line: "PUT
// /v1/kv/a?cas=0 body"; a line "+ 10s" lets time pass. What the stores then hold is written and read back the same.

namespace flotilla::hub::consul {
namespace {

using fuzz::require;

constexpr std::size_t kLinesMax = 64;
constexpr std::string_view kNodeId = "00000000-0000-7000-8000-000000000000";
constexpr Instant kStart = Instant() + std::chrono::hours(1);

void check_rows(const Stores& stores, Instant now) {
    const auto rows = rows_of(stores, stores.changes.changed);
    std::vector<StoredRow> stored;
    for (const auto& row : rows) {
        if (row.document) stored.push_back({row.kind, row.id, *row.document});
    }
    Stores again;
    const auto restored = restore(again, stored, now);
    require(restored.has_value(), "what was stored cannot be read back");
    require(again.registry.services().size() == stores.registry.services().size(), "services were lost");
    require(again.registry.checks().size() == stores.registry.checks().size(), "checks were lost");
    require(again.sessions.sessions().size() == stores.sessions.sessions().size(), "sessions were lost");
    require(again.external.nodes().size() == stores.external.nodes().size(), "external nodes were lost");
    require(again.external.services().size() == stores.external.services().size(), "external services were lost");
    require(again.external.checks() == stores.external.checks(), "external checks changed");
    for (const auto& [id, service] : stores.registry.services()) {
        const auto* same = again.registry.service(id);
        require(same && same->definition == service.definition, "a service changed");
    }
    for (const auto& [id, check] : stores.registry.checks()) {
        const auto* same = again.registry.check(id);
        require(same && same->status == check.status && same->output == check.output, "a check changed");
    }
}

void check_registration(std::string_view text) {
    const auto value = json::parse_value(text);
    if (!value) return;
    Stores stores;
    stores.node.id = kNodeId;
    if (auto check = parse_check_registration(*value)) (void)stores.registry.register_check(*check, kStart);
    if (auto registration = parse_service_registration(*value)) {
        stores.registry.register_service(registration->service, registration->checks, true, kStart);
        (void)stores.tick(kStart + std::chrono::hours(24));
    }
    check_rows(stores, kStart);
}

void check_duration(std::string_view text) {
    const auto duration = parse_go_duration(text);
    // Longer ones are beyond the precision of the fractions that Go writes.
    if (!duration || *duration > std::chrono::hours(1) || *duration < -std::chrono::hours(1)) return;
    require(parse_go_duration(go_text(*duration)) == duration, "a duration changes when written and read");
}

/// One line; advances `now` or asks the API.
void step(Stores& stores, Instant& now, std::string_view line, std::size_t number) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return;
    const auto method = line.substr(0, space);
    auto target = line.substr(space + 1);
    if (method == "+") {
        const auto passed = parse_go_duration(target);
        if (passed && *passed > Duration::zero() && *passed < std::chrono::hours(1000)) now += *passed;
        for (const auto& probe : stores.tick(now))
            stores.registry.report_probe(probe, CheckStatus::warning, "probed", now);
        return;
    }
    ConsulRequest request;
    request.method = method == "PUT" ? Method::put : method == "DELETE" ? Method::delete_ : Method::get;
    const auto end = target.find(' ');
    if (end != std::string_view::npos) {
        request.body = target.substr(end + 1);
        target = target.substr(0, end);
    }
    const auto query = target.find('?');
    const auto path = target.substr(0, query);
    if (!path.starts_with("/v1/")) return;
    if (query != std::string_view::npos) {
        auto parameters = http::parse_query(target.substr(query + 1));
        if (!parameters) return;
        request.parameters = std::move(*parameters);
    }
    request.now = now;
    request.fresh_id = "00000000-0000-7000-8000-0000000000" + std::to_string(10 + number);
    if (prepare(request, path)) return;
    const auto reply = answer(stores, request);
    require(reply.status >= 200 && reply.status < 600, "an impossible status");
    if (!reply.pending && reply.status == 200 && reply.content_type == "application/json" && !reply.body.empty())
        require(json::parse_value(reply.body).has_value(), "an answer is not JSON");
    require(stores.next_due() > Instant(), "the next event is before time began");
}

void check_session(std::string_view text) {
    Stores stores;
    stores.node.id = kNodeId;
    auto now = kStart;
    for (std::size_t lines = 0; lines < kLinesMax && !text.empty(); ++lines)
        step(stores, now, fuzz::take_line(text), lines);
    check_rows(stores, now);
}

} // namespace
} // namespace flotilla::hub::consul

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    const auto text = fuzz::text_of(data, size);
    hub::consul::check_duration(text);
    if (text.starts_with('{')) {
        hub::consul::check_registration(text);
    } else {
        hub::consul::check_session(text);
    }
    return 0;
}
