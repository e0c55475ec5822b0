#pragma once

#include <flotilla/contract/error_code.hpp>

namespace flotilla {

/// What an update answers that expects an older version than there is (Transaction::update). An endpoint that lets its
/// callers say what they expect lists it among its errors.
inline constexpr ErrorCode version_conflict{"version_conflict", Kind::conflict,
                                            "Somebody else was faster; read it again and decide anew"};

} // namespace flotilla
