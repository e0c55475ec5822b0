#pragma once

#include <string>
#include <string_view>

namespace flotilla {

/// Text as it is compared where case and spelling make no difference: Unicode's NFKC_Casefold (The Unicode Standard,
/// D147). Upper and lower case of every script, composed and decomposed letters, wide and ordinary ones and invisible
/// characters are alike: `ÉLISE` is `élise`, `GROSS` is `groß`. Folding twice changes nothing. Bytes that are not UTF-8
/// are only folded within ASCII.
std::string case_folded(std::string_view text);

} // namespace flotilla
