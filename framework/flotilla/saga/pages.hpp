#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/saga/driver.hpp>
#include <flotilla/saga/view.hpp>
#include <flotilla/service/host.hpp>

/// The pages under /sagaz on which people look after the sagas of a service; `./flotilla sagas` asks them.
namespace flotilla::saga {

inline constexpr std::string_view kListPath = "/sagaz";
inline constexpr std::string_view kShowPath = "/sagaz/show";
inline constexpr std::string_view kRetryPath = "/sagaz/retry";
inline constexpr std::string_view kSkipPath = "/sagaz/skip";
inline constexpr std::string_view kAbortPath = "/sagaz/abort";

/// GET /sagaz: those that have not ended, by their ids; `?status=PARKED` (or any other), `?stuck=true`, `?saga=NAME`.
struct ListQuery {
    std::optional<Status> status;
    std::optional<std::string> saga;
    std::optional<bool> stuck;
    std::optional<std::string> after; ///< the page behind that `next`
    Bounded<int, 1, 1000> limit = 100;
};
struct ListPage {
    std::string service;
    std::vector<View> sagas;
    std::optional<std::string> next; ///< absent: this is the last page
};

/// GET /sagaz/show?id=ID
struct ShowQuery {
    std::string id;
};
struct ShowPage {
    std::string service;
    View saga;
    boost::json::value state;
    std::vector<HistoryEntry> history;
};

/// POST /sagaz/retry, /sagaz/skip, /sagaz/abort: ids, or all that are parked or stuck.
struct AskBody {
    std::optional<std::vector<std::string>> ids;
    std::optional<bool> parked;
    std::optional<bool> stuck;
    std::optional<std::string> saga; ///< of those only the ones of this definition
    std::optional<std::string> reason;
};
struct AskAnswer {
    std::string service;
    std::int64_t asked = 0;           ///< of so many; the engine does it at once
    std::vector<std::string> unknown; ///< ids of no saga here
    std::vector<std::string> refused; ///< ids that it does not apply to: they have ended, or are past the pivot
};

void add_pages(Host& host, Database& database);

/// What of the sagas in flight a program with these definitions cannot go on with, a line each, at most 1,000.
task<Result<std::vector<std::string>>> missing_handlers(Context& context, Database& database, Families families);

} // namespace flotilla::saga
