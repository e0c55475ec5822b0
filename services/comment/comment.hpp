#pragma once

#include <flotilla/service/host.hpp>

namespace comment {

/// Installs the comment service: comments on posts, which go with their post. See README.md.
void install(flotilla::Host& host);

} // namespace comment
