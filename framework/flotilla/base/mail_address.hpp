#pragma once

#include <string>
#include <string_view>

namespace flotilla {

/// What makes two mail addresses the same one: they are when their keys are equal. For comparing and looking up, not
/// for sending to. The key of a key is itself.
/// Before the last '@': Unicode's NFKC_Casefold (The Unicode Standard, D147), so that upper and lower case of every
/// script, composed and decomposed letters, wide and ordinary ones and invisible characters make no difference: `ÉLISE`
/// is `élise`, `GROSS` is `groß`. RFC 5321 would let a host tell cases apart; none in practice does.
/// Behind it: the name that DNS is asked for (IDNA2008 with the mappings of UTS #46), so that `Bücher.Example` is
/// `xn--bcher-kva.example`, and `straße.example` and `strasse.example` are two, as they are in DNS. A domain that is no
/// such name is folded like the part before it. Bytes that are not UTF-8 are only folded within ASCII.
std::string mail_address_key(std::string_view address);

} // namespace flotilla
