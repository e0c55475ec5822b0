#include <flotilla/saga/pages.hpp>

#include <algorithm>
#include <array>

#include <flotilla/http/message.hpp>
#include <flotilla/saga/instance.hpp>
#include <flotilla/saga/saga_table.hpp>

namespace flotilla::saga {
namespace {

constexpr std::int64_t kAskedAtOnce = 2'000; ///< in one statement
constexpr std::size_t kFaultsMax = 1'000;
constexpr std::int64_t kCheckedAtOnce = 500;
constexpr std::array kInFlight{Status::running, Status::compensating, Status::parked};

/// Fills a struct from a query by JSON names. Errors: invalid, naming each bad field.
template <class T>
Result<T> read_query(const std::string& query) {
    const auto pairs = http::parse_query(query);
    if (!pairs) return Error(Kind::invalid, "the query has a bad escape");
    T read{};
    std::vector<FieldError> faults;
    for (const auto& [name, text] : *pairs) {
        const auto* field = field_named_json(descriptor_of<T>, name);
        if (field == nullptr) {
            faults.push_back({name, "there is no such parameter"});
        } else if (auto set = json::set_from_text(*field->type, field->in(&read), text); !set) {
            faults.push_back({name, set.error().message()});
        }
    }
    if (!faults.empty()) return json::invalid_request(std::move(faults));
    return read;
}

/// The pages of one service.
class Pages {
public:
    Pages(Host& host, Database& database)
        : world_(host.world()), database_(database), service_(host.options().node.service) {}

    task<Result<std::string>> list(Context& context, OwnRequest request) {
        const auto query = co_await must(read_query<ListQuery>(request.query));
        const auto limit = static_cast<std::size_t>(static_cast<int>(query.limit));
        auto found = query.stuck.value_or(false) ? co_await must(list_stuck(context, query, limit + 1))
                                                 : co_await must(list_by_status(context, query, limit + 1));
        ListPage page{.service = service_};
        const bool more = found.size() > limit;
        if (more) found.resize(limit);
        if (more) page.next = query.stuck.value_or(false) ? place_of(found.back()) : found.back().id;
        for (const auto& saga : found)
            page.sagas.push_back(view_of(saga));
        co_return json::write(page);
    }

    task<Result<std::string>> show(Context& context, OwnRequest request) {
        const auto query = co_await must(read_query<ShowQuery>(request.query));
        const auto saga =
            co_await must(table::load(context, database_, query.id), or_none(saga_not_found.with(query.id)));
        ShowPage page{.service = service_, .saga = view_of(saga)};
        page.state = co_await must(json::parse_value(saga.state));
        page.history = co_await must(table::history(context, database_, query.id));
        co_return json::write(page);
    }

    task<Result<std::string>> ask(Context& context, OwnRequest request, Asked what) {
        const auto body = co_await must(json::parse<AskBody>(request.body));
        const bool filter = body.parked.value_or(false) || body.stuck.value_or(false);
        if (filter == body.ids.has_value())
            co_return Error(Kind::invalid, "say which: ids, or parked or stuck, not both");
        const table::Ask asked{what, body.reason.value_or("by hand")};
        AskAnswer answer{.service = service_};
        if (body.stuck.value_or(false)) co_await must(ask_stuck(context, body, asked, answer));
        if (body.parked.value_or(false)) co_await must(ask_parked(context, body, asked, answer));
        for (const auto& id : body.ids.value_or(std::vector<std::string>()))
            co_await must(ask_one(context, id, asked, answer));
        co_return json::write(answer);
    }

private:
    /// "1769846400000000/ID": stuck ones come in the order of when they became so.
    static std::string place_of(const Instance& saga) {
        return std::to_string(saga.stuck_at.value_or(Timestamp(0)).microseconds()) + "/" + saga.id;
    }

    task<Result<std::vector<Instance>>> list_stuck(Context& context, ListQuery query, std::size_t count) {
        Timestamp after(0);
        std::string after_id;
        if (query.after) {
            const auto slash = query.after->find('/');
            if (slash == std::string::npos)
                co_return Error(Kind::invalid, "after is no place in the list of stuck ones");
            after = Timestamp(std::atoll(query.after->c_str()));
            after_id = query.after->substr(slash + 1);
        }
        auto found = co_await must(
            table::stuck(context, database_, world_.now(), after, after_id, static_cast<std::int64_t>(count)));
        std::erase_if(found, [&](const Instance& saga) { return query.saga && saga.definition != *query.saga; });
        co_return found;
    }

    task<Result<std::vector<Instance>>> list_by_status(Context& context, ListQuery query, std::size_t count) {
        std::vector<Instance> found;
        for (const auto& definition : co_await must(table::counts(context, database_))) {
            if (query.saga && definition.definition != *query.saga) continue;
            for (const auto status : kStatuses) {
                const bool wanted =
                    query.status ? *query.status == status : std::ranges::find(kInFlight, status) != kInFlight.end();
                if (!wanted) continue;
                std::ranges::move(
                    co_await must(table::list(context, database_, status, definition.definition,
                                              query.after.value_or(""), static_cast<std::int64_t>(count))),
                    std::back_inserter(found));
            }
        }
        std::ranges::sort(found, {}, &Instance::id);
        if (found.size() > count) found.resize(count);
        co_return found;
    }

    task<Result<void>> ask_one(Context& context, std::string id, table::Ask what, AskAnswer& answer) {
        const auto asked = co_await must(database_.transact(
            context, [id, what](Transaction& transaction) { return table::ask(transaction, id, what); }));
        if (asked) {
            ++answer.asked;
            co_return Result<void>();
        }
        const auto saga = co_await must(table::load(context, database_, id));
        (saga ? answer.refused : answer.unknown).push_back(id);
        co_return Result<void>();
    }

    task<Result<void>> ask_parked(Context& context, AskBody body, table::Ask what, AskAnswer& answer) {
        for (const auto& each : co_await must(table::counts(context, database_))) {
            if (body.saga && each.definition != *body.saga) continue;
            std::string after;
            do {
                const auto asking = co_await must(
                    database_.transact(context, [what, definition = each.definition, after](Transaction& transaction) {
                        return table::ask_all(transaction, what, Status::parked, definition, after, kAskedAtOnce);
                    }));
                answer.asked += asking.changed;
                after = asking.last;
            } while (!after.empty());
        }
        co_return Result<void>();
    }

    /// Their timers stay as they are until the engine has come to them, so that a page behind this one is found.
    task<Result<void>> ask_stuck(Context& context, AskBody body, table::Ask what, AskAnswer& answer) {
        const auto now = world_.now();
        Timestamp after(0);
        std::string after_id;
        while (true) {
            const auto page = co_await must(table::stuck(context, database_, now, after, after_id, kAskedAtOnce));
            if (page.empty()) co_return Result<void>();
            std::vector<std::string> ids;
            for (const auto& saga : page)
                if (!body.saga || saga.definition == *body.saga) ids.push_back(saga.id);
            answer.asked += co_await must(database_.transact(context, [what, ids](Transaction& transaction) {
                std::int64_t asked = 0;
                for (const auto& id : ids)
                    asked += table::ask(transaction, id, what) ? 1 : 0;
                return asked;
            }));
            after = *page.back().stuck_at;
            after_id = page.back().id;
        }
    }

    static constexpr std::array kStatuses{Status::running, Status::compensating, Status::parked, Status::completed,
                                          Status::compensated};

    World& world_;
    Database& database_;
    const std::string service_;
};

} // namespace

void add_pages(Host& host, Database& database) {
    auto& pages = host.own<Pages>(host, database);
    const auto add = [&](std::string_view path, Method method, auto answer) {
        host.add_operation(std::string(path), method, answer);
    };
    add(kListPath, Method::get,
        [&pages](Context& context, OwnRequest request) { return pages.list(context, std::move(request)); });
    add(kShowPath, Method::get,
        [&pages](Context& context, OwnRequest request) { return pages.show(context, std::move(request)); });
    for (const auto& [path, what] : {std::pair(kRetryPath, Asked::retry), std::pair(kSkipPath, Asked::skip),
                                     std::pair(kAbortPath, Asked::abort)}) {
        add(path, Method::post, [&pages, what](Context& context, OwnRequest request) {
            return pages.ask(context, std::move(request), what);
        });
    }
}

task<Result<std::vector<std::string>>> missing_handlers(Context& context, Database& database, Families families) {
    std::vector<std::string> faults;
    if (co_await must(table::version(context, database)) == 0) co_return faults;
    for (const auto& each : co_await must(table::counts(context, database))) {
        const auto family = families.find(each.definition);
        for (const auto status : kInFlight) {
            std::string after;
            while (faults.size() < kFaultsMax) {
                const auto page =
                    co_await must(table::list(context, database, status, each.definition, after, kCheckedAtOnce));
                if (page.empty()) break;
                after = page.back().id;
                for (const auto& saga : page) {
                    const detail::Plan* plan = nullptr;
                    if (family != families.end()) {
                        const auto version = family->second->versions.find(saga.definition_version);
                        if (version != family->second->versions.end()) plan = version->second.get();
                    }
                    if (auto why = missing_handler(saga, plan); !why.empty())
                        faults.push_back(saga.definition + " " + saga.id + " at " + saga.step + ": " + why);
                }
            }
        }
    }
    co_return faults;
}

} // namespace flotilla::saga
