#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/store/database.hpp>

/// The statements on flotilla_roles, as transaction bodies and plain functions; when they run is the Role's business.
namespace flotilla::roles {

/// Who holds a role, and what the others have asked.
struct RoleRow {
    std::int64_t epoch = 0;               ///< grows with each change of holder; 0: nobody ever held it
    std::string holder;                   ///< empty: given up
    std::string session;                  ///< the holder's Database::session()
    std::int64_t asked = 0, answered = 0; ///< asked above answered: somebody wants to know whether the holder lives
    bool operator==(const RoleRow&) const = default;
};

/// The row; as if nobody had ever held the role when there is none.
task<Result<RoleRow>> load(Context& context, Database& database, std::string role);

/// Takes a role over, unless another did or its holder has answered since it was `seen`. Returns the new epoch.
struct Take {
    std::string role, holder, session;
    RoleRow seen;
    std::optional<std::int64_t> operator()(Transaction& transaction) const;
};

/// Asks whether the holder of this epoch lives. Once is enough, whoever did.
struct Ask {
    std::string role;
    std::int64_t epoch = 0;
    void operator()(Transaction& transaction) const;
};

/// The holder's answer.
struct Answer {
    std::string role;
    std::int64_t epoch = 0;
    void operator()(Transaction& transaction) const;
};

/// Gives a role up: the epoch has passed, and the next one to look takes it.
struct Release {
    std::string role;
    std::int64_t epoch = 0;
    void operator()(Transaction& transaction) const;
};

/// Ends the transaction unless the role's epoch is that one, read in the same transaction: it commits before another
/// takes the role over, or not at all. Errors: unavailable `role_lost`.
void check_epoch(Transaction& transaction, std::string_view role, std::int64_t epoch);

/// Wakes those who wait for a role or hold it, after the commit.
inline constexpr std::string_view kSignal = "roles";

} // namespace flotilla::roles
