#pragma once

#include <flotilla/store/migration.hpp>

namespace flotilla::saga {

/// The name of the component whose migrations these are.
inline constexpr std::string_view kComponent = "saga";

/// The sagas' tables, with what each column holds.
Migrations migrations();

} // namespace flotilla::saga
