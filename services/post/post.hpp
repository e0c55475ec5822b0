#pragma once

#include <flotilla/service/host.hpp>

namespace post {

/// Installs the post service: writing, reading, changing and deleting posts. See README.md.
void install(flotilla::Host& host);

} // namespace post
