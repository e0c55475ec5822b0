#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include <flotilla/aio/loop.hpp>
#include <flotilla/base/nearest_name.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/saga/pages.hpp>

#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/terminal.hpp"

namespace flotilla::cli {
namespace {

using saga::Status;
using saga::StepState;

constexpr std::array<std::string_view, 4> kVerbs{"show", "retry", "skip", "abort"};
constexpr Duration kPatience = std::chrono::seconds(60); // ten thousand are asked in one request

/// The sagas of the services of a running fleet, by their pages.
class SagaPages {
public:
    SagaPages(Loop& loop, const FleetState& state, const std::string& service)
        : loop_(loop), http_(loop.world()), context_(loop.world()) {
        std::set<std::string> services;
        for (const auto& member : state.members) {
            // The instances of a service share its database: one of them answers for all.
            const auto name = member.name.substr(0, member.name.find('.'));
            if (name == "hub" || name == "gateway" || (!service.empty() && service != name)) continue;
            if (is_alive(member.process) && !is_stopped(member.process) && services.insert(name).second)
                members_.push_back(member);
        }
    }

    struct Answered {
        std::string member;
        Result<std::string> body; ///< not_found: it has no sagas
    };
    std::vector<Answered> ask(Method method, const std::string& target, const std::string& body = {}) {
        std::vector<Answered> all;
        for (const auto& member : members_)
            all.push_back({member.name, loop_.run_until_done(ask(member, method, target, body))});
        std::erase_if(
            all, [](const Answered& each) { return !each.body && each.body.error().code() == name(Kind::not_found); });
        return all;
    }
    bool empty() const { return members_.empty(); }

private:
    task<Result<std::string>> ask(MemberState member, Method method, std::string target, std::string body) {
        Context bounded(context_, kPatience);
        http::Request request;
        request.head.method = method;
        request.head.method_name = name(method);
        request.head.target = std::move(target);
        request.head.authority = "127.0.0.1";
        if (!body.empty()) request.head.headers.add("content-type", "application/json");
        request.body = std::move(body);
        auto response = co_await must(http_.fetch(
            bounded, Address::tcp("127.0.0.1", static_cast<std::uint16_t>(member.port)), std::move(request)));
        if (response.status() >= 400) co_return http::error_from_problem(response);
        co_return std::move(response.body);
    }

    Loop& loop_;
    http::Client http_;
    Context context_;
    std::vector<MemberState> members_;
};

std::string_view colour_of(Status status) {
    switch (status) {
    case Status::completed:
        return green();
    case Status::compensating:
    case Status::compensated:
        return yellow();
    case Status::parked:
        return red();
    default:
        return {};
    }
}

std::string lower(std::string_view text) {
    std::string lowered(text);
    std::ranges::transform(lowered, lowered.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return lowered;
}

std::string age_text(Duration age) {
    const auto seconds = std::max<std::int64_t>(age / std::chrono::seconds(1), 0);
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    return std::to_string(seconds / 3600) + " h";
}

int fail(const Error& error) {
    std::fprintf(stderr, "sagas: %s\n", error.message().c_str());
    return error.kind() == Kind::invalid ? 2 : 1;
}

std::string filter_of(const SagasOptions& options) {
    std::string query = "?limit=" + std::to_string(options.limit);
    if (options.parked) query += "&status=PARKED";
    if (options.stuck) query += "&stuck=true";
    if (!options.saga.empty()) query += "&saga=" + http::percent_encode(options.saga);
    return query;
}

/// What `--json` prints of a list.
struct ListedSagas {
    std::vector<saga::ListPage> services;
};

int list(SagaPages& pages, const SagasOptions& options, Timestamp now) {
    ListedSagas all;
    int code = 0;
    for (const auto& [member, body] : pages.ask(Method::get, std::string(saga::kListPath) + filter_of(options))) {
        auto page = body ? json::parse<saga::ListPage>(*body) : Result<saga::ListPage>(body.error());
        if (!page) {
            std::fprintf(stderr, "sagas: %s: %s\n", member.c_str(), page.error().message().c_str());
            code = 1;
            continue;
        }
        all.services.push_back(std::move(*page));
    }
    if (options.json) {
        std::printf("%s\n", json::write(all).c_str());
        return code;
    }
    std::vector<Row> rows;
    bool more = false;
    for (const auto& page : all.services) {
        more = more || page.next.has_value();
        for (const auto& each : page.sagas) {
            rows.push_back({{{page.service},
                             {each.saga},
                             {each.id, bold()},
                             {lower(enum_text(each.status)), colour_of(each.status)},
                             {each.step.empty() ? "-" : each.step},
                             {each.attempt > 1 ? std::to_string(each.attempt) : "-"},
                             {age_text(now - each.progressed_at)}},
                            each.reason.value_or("")});
        }
    }
    if (rows.empty()) {
        std::printf(options.parked  ? "No saga is parked.\n"
                    : options.stuck ? "Every saga makes progress.\n"
                                    : "No saga is under way.\n");
        return code;
    }
    std::printf("%s", table({"SERVICE", "SAGA", "ID", "STATUS", "STEP", "TRY", "SINCE"}, rows).c_str());
    if (more) std::printf("\n  There are more: --limit N shows so many of each service.\n");
    return code;
}

std::string steps_text(const saga::View& saga) {
    std::string text;
    for (const auto& mark : saga.steps)
        text += (text.empty() ? "" : ", ") + mark.name + " " + lower(enum_text(mark.state));
    return text.empty() ? "-" : text;
}

void print_saga(const saga::ShowPage& page) {
    const auto& saga = page.saga;
    std::printf("\n  %s%s%s  %s version %ld in %s\n\n", std::string(bold()).c_str(), saga.id.c_str(),
                std::string(plain()).c_str(), saga.saga.c_str(), saga.version, page.service.c_str());
    std::vector<Row> facts{{{{"Status", dim()}, {lower(enum_text(saga.status)), colour_of(saga.status)}}}};
    if (saga.reason) facts.push_back({{{"Reason", dim()}, {*saga.reason}}});
    if (!saga.step.empty()) {
        const bool undo = saga.direction == saga::Direction::undo;
        facts.push_back(
            {{{"Step", dim()}, {(undo ? "undoing " : "") + saga.step + ", try " + std::to_string(saga.attempt)}}});
    }
    facts.push_back({{{"Steps", dim()}, {steps_text(saga)}}});
    facts.push_back({{{"Started", dim()}, {saga.started_at.to_string()}}});
    facts.push_back({{{"State", dim()}, {json::write(page.state)}}});
    std::printf("%s\n", aligned(facts).c_str());
    std::vector<Row> rows;
    for (const auto& entry : page.history)
        rows.push_back({{{entry.at.to_string(), dim()}, {entry.event, bold()}, {entry.step}, {entry.detail}}});
    std::printf("%s\n", table({"TIME", "EVENT", "STEP", "DETAIL"}, rows).c_str());
}

int show(SagaPages& pages, const SagasOptions& options, const std::vector<std::string>& ids) {
    int code = 0;
    for (const auto& id : ids) {
        bool found = false;
        for (const auto& [member, body] :
             pages.ask(Method::get, std::string(saga::kShowPath) + "?id=" + http::percent_encode(id))) {
            if (!body && body.error().code() == saga::saga_not_found.code) continue;
            if (!body) return fail(Error(body.error()).with_context(member));
            found = true;
            auto page = json::parse<saga::ShowPage>(*body);
            if (!page) return fail(page.error());
            if (options.json)
                std::printf("%s\n", body->c_str());
            else
                print_saga(*page);
        }
        if (found) continue;
        std::fprintf(stderr, "sagas: there is no saga %s\n", id.c_str());
        code = 1;
    }
    return code;
}

/// What `--json` prints of retry, skip and abort.
struct AskedSagas {
    std::vector<saga::AskAnswer> services;
};

int ask(SagaPages& pages, const SagasOptions& options, const std::string& verb, const std::vector<std::string>& ids) {
    saga::AskBody body;
    if (!ids.empty()) body.ids = ids;
    if (options.parked) body.parked = true;
    if (options.stuck) body.stuck = true;
    if (!options.saga.empty()) body.saga = options.saga;
    if (!options.reason.empty()) body.reason = options.reason;
    AskedSagas all;
    std::set<std::string> unknown(ids.begin(), ids.end());
    int code = 0;
    for (const auto& [member, answered] :
         pages.ask(Method::post, std::string(saga::kListPath) + "/" + verb, json::write(body))) {
        auto answer = answered ? json::parse<saga::AskAnswer>(*answered) : Result<saga::AskAnswer>(answered.error());
        if (!answer) return fail(std::move(answer.error()).with_context(member));
        for (const auto& id : ids)
            if (std::ranges::find(answer->unknown, id) == answer->unknown.end()) unknown.erase(id);
        for (const auto& id : answer->refused) {
            std::fprintf(stderr, "sagas: %s does not apply to %s: it has ended, or is past the pivot\n", verb.c_str(),
                         id.c_str());
            code = 1;
        }
        all.services.push_back(std::move(*answer));
    }
    for (const auto& id : unknown) {
        std::fprintf(stderr, "sagas: there is no saga %s\n", id.c_str());
        code = 1;
    }
    if (options.json) {
        std::printf("%s\n", json::write(all).c_str());
        return code;
    }
    for (const auto& answer : all.services) {
        if (answer.asked == 0) continue;
        std::printf("%s: %s of %ld saga%s is under way.\n", answer.service.c_str(), verb.c_str(), answer.asked,
                    answer.asked == 1 ? "" : "s");
    }
    return code;
}

Result<void> check_words(const SagasOptions& options) {
    const auto& words = options.words;
    if (words.empty()) return {};
    if (std::ranges::find(kVerbs, words.front()) == kVerbs.end()) {
        return Error(Kind::invalid,
                     "unknown action '" + words.front() + "'" +
                         did_you_mean(words.front(), std::vector<std::string>(kVerbs.begin(), kVerbs.end())));
    }
    const bool filter = options.parked || options.stuck;
    if (words.front() == "show" && (filter || words.size() < 2)) return Error(Kind::invalid, "show which? Name ids");
    if (words.front() != "show" && filter == (words.size() > 1))
        return Error(Kind::invalid, words.front() + " which? Name ids, or say --parked or --stuck");
    return {};
}

} // namespace

int sagas(const SagasOptions& options) {
    if (auto fine = check_words(options); !fine) return fail(fine.error());
    const auto folder = data_folder(options.fleet.data);
    auto state = find_fleet(options.fleet, folder);
    if (!state) return fail(state.error());
    if (!*state) {
        std::fprintf(stderr, "No fleet runs on %s. Start one with %s\n", folder.root.c_str(),
                     command_hint(options.fleet, "up").c_str());
        return 1;
    }
    Loop loop;
    SagaPages pages(loop, **state, options.service);
    if (pages.empty()) {
        return fail(Error(Kind::unavailable,
                          options.service.empty() ? "no service runs" : "no instance of " + options.service + " runs"));
    }
    if (options.words.empty()) return list(pages, options, loop.world().now());
    const std::vector<std::string> ids(options.words.begin() + 1, options.words.end());
    if (options.words.front() == "show") return show(pages, options, ids);
    return ask(pages, options, options.words.front(), ids);
}

} // namespace flotilla::cli
