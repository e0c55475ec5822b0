#include "gateway/core/composition.hpp"

#include <simdjson.h>

#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/time_spent.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/http/content_type.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/http/transfer.hpp>
#include <flotilla/resilience/fallback.hpp>

#include "gateway/core/upstream_error.hpp"

namespace flotilla::gateway {

namespace {

/// A fallback keeps no longer answers, and none to longer requests: of each branch a thousand are kept.
constexpr std::size_t kKeptBytesMax = 16 * 1024;
constexpr std::size_t kKeptKeyBytesMax = 4 * 1024;
/// A service takes 255, and the branch's name comes behind it.
constexpr std::size_t kKeyBytesMax = 200;

/// A spent quota says nothing of what was asked for; any other 4xx does.
Keeping keeping_of(const http::Response& response) {
    if (response.status() == 429) return Keeping::leave;
    return response.status() < 400 && response.body.size() <= kKeptBytesMax ? Keeping::keep : Keeping::forget;
}

// A branch that the answer can do without, and has no timeout of its own, leaves half of the time for that.
Deadline deadline_of(const Context& context, const Branch& branch) {
    const auto now = context.world().monotonic();
    if (branch.timeout) return {now + *branch.timeout};
    const bool needed = branch.required && !branch.fallback_age_max;
    if (needed || context.deadline().is_never()) return Deadline::never();
    return {now + context.remaining() / 2};
}

/// Adds a name to a list in JSON.
void list(std::string& names, const std::string& name) {
    if (!names.empty()) names += ',';
    json::quote(names, name);
}

/// What a branch's answer was expected to say and does not; null: nothing.
const Expectation* unmet_expectation(const Branch& branch, std::string_view answer) {
    if (!branch.expect) return nullptr;
    const Documents documents(&answer, 1);
    for (const auto& [place, wanted] : branch.expect->members) {
        const auto found = place.find(documents);
        const auto value = found ? json::parse_value(*found) : Result<boost::json::value>(found.error());
        if (!value || *value != wanted) return &*branch.expect;
    }
    return nullptr;
}

Error client_gone(const Error& error) {
    return Error(Kind::cancelled, "client_gone", "the client has gone: " + error.message());
}

} // namespace

/// The parser keeps its memory from body to body.
struct Composer::Json {
    simdjson::dom::parser parser;
};

struct Composer::Outcome {
    std::optional<http::Response> answered; ///< 2xx, or a 4xx that the service answered
    std::optional<Error> error;
    const Expectation* unmet = nullptr; ///< of a 2xx
    std::optional<Duration> age;        ///< of an answer that stands in for one that did not come
    bool failed = true;
};

/// The last good answers of a branch.
struct Composer::Kept {
    Kept(Duration age_max, Counter& counter) : answers({.age_max = age_max, .keeping = &keeping_of}), stale(counter) {}
    Fallback<http::Response> answers;
    Counter& stale;
};

/// One composed request while its branches run.
struct Composer::Call {
    http::Exchange& exchange;
    const RequestFacts& facts;
    const CompositionAction& action;
    std::vector<Outcome> outcomes;
    std::vector<std::string_view> documents; ///< what branches refer to: the client's body, and the answers
    std::string body = {}, key = {};         ///< the client's
    std::optional<std::size_t> first_failed_required = {};
};

Composer::Composer(Targets& targets, Telemetry& telemetry, std::uint64_t body_bytes_max)
    : targets_(targets), telemetry_(telemetry), body_bytes_max_(body_bytes_max), json_(std::make_unique<Json>()) {}
Composer::~Composer() = default;

task<Result<int>> Composer::answer(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                   const CompositionAction& action) {
    Call call{exchange, facts, action, std::vector<Outcome>(action.branches.size()),
              std::vector<std::string_view>(action.refers ? action.branches.size() + 1 : 0)};
    if (action.has_body) co_await must(read_body(context, call));
    for (std::size_t stage = 0; stage < action.stages && !call.first_failed_required; ++stage) {
        co_await scoped(context, [&](Scope& scope) -> task<void> {
            for (std::size_t i = 0; i < action.branches.size(); ++i)
                if (action.branches[i].stage == stage) scope.spawn(run(scope.context(), call, i));
            co_return;
        });
        if (context.cancelled()) {
            tell_what_stays(context, call);
            co_return context.reason();
        }
    }
    if (!call.first_failed_required) co_return co_await respond(context, call);
    tell_what_stays(context, call);
    co_return co_await respond_failed(context, call);
}

task<Result<void>> Composer::read_body(Context& context, Call& call) {
    const auto& headers = call.exchange.request().headers;
    call.body = co_await must(call.exchange.read_all(context));
    if (!call.body.empty()) {
        co_await must(http::check_json_content(headers));
        if (auto valid = json::parse_value(call.body); !valid) co_return std::move(valid.error());
    }
    if (call.action.refers) call.documents[kClientBody] = call.body;
    const auto key = headers.get("idempotency-key");
    if (key && (key->empty() || key->size() > kKeyBytesMax))
        co_return Error(Kind::invalid, "invalid_idempotency_key", "Idempotency-Key must have 1 to 200 characters here");
    call.key = key.value_or("");
    co_return Result<void>();
}

task<Result<int>> Composer::respond(Context& context, Call& call) {
    const auto& action = call.action;
    http::ResponseHead head;
    if (action.result) {
        const auto& answered = *call.outcomes[*action.result].answered;
        fill_client_head(answered.head, call.facts.id, head);
        auto sent = co_await call.exchange.respond(context, head, answered.body);
        if (!sent) co_return client_gone(sent.error());
        co_return head.status;
    }
    std::string body = "{";
    std::string degraded, stale;
    Duration age{};
    for (std::size_t i = 0; i < action.branches.size(); ++i) {
        const auto& branch = action.branches[i];
        if (i > 0) body += ',';
        json::quote(body, branch.name);
        body += ':';
        const auto& outcome = call.outcomes[i];
        body += outcome.failed || outcome.answered->body.empty() ? std::string_view("null") : outcome.answered->body;
        if (outcome.failed) list(degraded, branch.name);
        if (outcome.age) list(stale, branch.name);
        age = std::max(age, outcome.age.value_or(age));
    }
    if (!degraded.empty()) body.append(",\"degraded\":[").append(degraded).append("]");
    if (!stale.empty()) body.append(",\"stale\":[").append(stale).append("]");
    body += '}';

    head.headers.add("content-type", "application/json");
    head.headers.add("x-request-id", call.facts.id);
    if (!stale.empty())
        head.headers.add("age", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(age).count()));
    auto sent = co_await call.exchange.respond(context, head, body);
    if (!sent) co_return client_gone(sent.error());
    co_return head.status;
}

task<void> Composer::run(Context& context, Call& call, std::size_t index) {
    const auto& branch = call.action.branches[index];
    auto& outcome = call.outcomes[index];
    auto answered = branch.fallback_age_max ? co_await ask_or_recall(context, call, branch, outcome)
                                            : co_await ask(context, call, branch);
    if (answered) {
        outcome.answered = std::move(*answered);
        if (outcome.answered->status() < 400) outcome.unmet = unmet_expectation(branch, outcome.answered->body);
        outcome.failed = outcome.answered->status() >= 400 || outcome.unmet;
        if (!outcome.failed && call.action.refers) call.documents[index + 1] = outcome.answered->body;
    } else {
        outcome.error = std::move(answered.error());
    }
    if (!outcome.failed || call.first_failed_required) co_return;
    telemetry_.metrics
        .counter("gateway_composition_failed_branches_total", "Branches of compositions that failed.",
                 {{"upstream", branch.service}, {"branch", branch.name}})
        .add();
    if (branch.required && outcome.error) {
        telemetry_.log.warning(
            context, "a required branch failed",
            {{"branch", branch.name}, {"error", outcome.error->message()}, {"request_id", call.facts.id}});
    }
    if (!branch.required) co_return;
    call.first_failed_required = index;
    context.cancel(Error(Kind::cancelled, "a required branch has failed")); // the others' answers are of no use now
}

/// The service's answer, or its last good one to such a request while that may stand in.
task<Result<http::Response>> Composer::ask_or_recall(Context& context, const Call& call, const Branch& branch,
                                                     Outcome& outcome) {
    auto& kept = kept_.try_emplace(&branch, *branch.fallback_age_max, stale_answers(telemetry_.metrics, branch.service))
                     .first->second;
    std::string key;
    co_await must(branch.target.expand_to(key, call.facts.path, call.documents));
    key.append("\n").append(client_part(call.exchange.request())); // nobody gets what somebody else was answered
    if (key.size() > kKeptKeyBytesMax) co_return co_await ask(context, call, branch);
    const auto ask_service = [&](Context& own) { return ask(own, call, branch); };
    auto answer = co_await must(kept.answers.call(context, std::move(key), ask_service));
    if (answer.stale()) {
        outcome.age = answer.age;
        kept.stale.add();
    }
    co_return std::move(answer.value);
}

/// 2xx with a body that can be embedded, or a 4xx. Errors: also what makes any other answer unusable.
task<Result<http::Response>> Composer::ask(Context& context, const Call& call, const Branch& branch) {
    auto response = co_await must(fetch(context, call, branch));
    const int status = response.status();
    if (status >= 400 && status <= 499) co_return response;
    if (status < 200 || status > 299)
        co_return Error(Kind::bad_gateway, "upstream_failed", branch.service + " answered " + std::to_string(status));
    co_await must(check_json(response.body, branch));
    co_return response;
}

task<Result<http::Response>> Composer::fetch(Context& parent, const Call& call, const Branch& branch) {
    Context context(parent, deadline_of(parent, branch));
    http::RequestHead head;
    head.authority = branch.service;
    head.method = branch.method;
    head.target.clear();
    co_await must(branch.target.expand_to(head.target, call.facts.path, call.documents));
    fill_branch_head(context, call.exchange, call.facts, head);
    std::string body;
    if (branch.body) {
        body = co_await must(branch.body->expand(call.facts.path, call.documents));
        head.headers.add("content-type", "application/json");
    }
    if (call.action.has_body) head.headers.remove("idempotency-key");
    const bool keyed = !branch.safe && !call.key.empty();
    if (keyed) head.headers.add("idempotency-key", call.key + ":" + branch.name);

    const bool repeatable = branch.safe || keyed || is_idempotent(branch.method);
    TargetCall upstream(targets_, targets_.of(branch.service), context,
                        {.repeatable = repeatable, .time = TimeSpent::On::upstream});
    while (true) {
        auto answered = co_await upstream.send(head, body);
        if (!answered) co_return upstream_error(context, branch.service, upstream, answered.error());
        const TimeSpent::Interval waiting(context, TimeSpent::On::upstream_body);
        auto response = co_await http::read_response(context, upstream.exchange(), head.method, body_bytes_max_);
        if (response) co_return response;
        if (response.error().kind() == Kind::too_large)
            co_return Error(Kind::too_large, "upstream_too_large", "an upstream's answer is too large to be composed");
        if (!upstream.failed(response.error(), repeatable))
            co_return upstream_error(context, branch.service, upstream, *upstream.last_failure());
    }
}

Result<void> Composer::check_json(const std::string& body, const Branch& branch) {
    if (body.empty()) return {};
    if (json_->parser.parse(body).error() == simdjson::SUCCESS) return {};
    return Error(Kind::bad_gateway, "upstream_failed",
                 branch.service + " answered with something that is not valid JSON");
}

/// What was done is done: whoever looks into it finds it by the request's id.
void Composer::tell_what_stays(const Context& context, const Call& call) {
    std::string written;
    for (std::size_t i = 0; i < call.outcomes.size(); ++i) {
        if (call.outcomes[i].failed || call.action.branches[i].safe) continue;
        written.append(written.empty() ? "" : ", ").append(call.action.branches[i].name);
    }
    if (written.empty()) return;
    const auto failed = call.first_failed_required ? call.action.branches[*call.first_failed_required].name : "";
    telemetry_.log.warning(context, "a composition ended after branches that wrote",
                           {{"written", written}, {"failed", failed}, {"request_id", call.facts.id}});
}

task<Result<int>> Composer::respond_failed(Context& context, const Call& call) {
    const auto& outcome = call.outcomes[*call.first_failed_required];
    auto& exchange = call.exchange;
    http::ResponseHead head;
    std::string body;
    const auto problem = [&](const Error& error, int status) {
        head.status = status;
        body = http::problem_json(error, status, exchange.request().path(), context.trace.trace_id_hex());
        http::add_problem_headers(head.headers, error);
        head.headers.add("x-request-id", call.facts.id);
    };
    if (const auto* unmet = outcome.unmet) {
        const auto kind = kind_of_http_status(unmet->status);
        problem(unmet->code.empty() ? Error(kind, unmet->error) : Error(kind, unmet->code, unmet->error),
                unmet->status);
    } else if (outcome.answered) { // a 4xx
        fill_client_head(outcome.answered->head, call.facts.id, head);
        body = outcome.answered->body;
    } else if (outcome.error->kind() == Kind::invalid) { // what the client sent does not make a request
        co_return *outcome.error;
    } else if (const auto& configured = call.action.on_failure) {
        // What it says is no secret, whatever its status; that of 503 asks to come back.
        const Kind kind = configured->status == 503 ? Kind::unavailable : Kind::bad_gateway;
        problem(Error(kind, "composition_failed", configured->error), configured->status);
    } else {
        const auto kind = outcome.error->kind();
        const bool kept = kind == Kind::unavailable || kind == Kind::deadline_exceeded;
        co_return Error(kept ? kind : Kind::bad_gateway, outcome.error->code(), outcome.error->message())
            .with_retry_after(outcome.error->retry_after());
    }
    auto sent = co_await exchange.respond(context, head, body);
    if (!sent) co_return client_gone(sent.error());
    co_return head.status;
}

} // namespace flotilla::gateway
