#pragma once

#include <string>
#include <string_view>

namespace flotilla::cli {

/// A text as one word for a POSIX-like shell (bash, zsh, busybox), quoted only where it must be, so that a command that
/// is printed can be pasted. Control characters come as $'\n', since a line break in a hint would end it.
std::string shell_word(std::string_view text);

} // namespace flotilla::cli
