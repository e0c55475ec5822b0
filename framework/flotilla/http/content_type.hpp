#pragma once

#include <string_view>

#include <flotilla/base/result.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// The media type of a file, by the extension of its name; application/octet-stream when it is unknown. Text is UTF-8.
std::string_view content_type_of(std::string_view file_name);

/// True when Accept-Encoding takes gzip, and likes it no less than the plain content (RFC 9110 §12.5.3).
bool accepts_gzip(const Headers& headers);

/// Whether a request's content may be read as JSON. Content without a type may, unless a page in a browser sent it: of
/// another site's pages a browser sends JSON only after it has asked us (CORS), but content without a type, or of a
/// form's, at once. Errors: unsupported `unsupported_media_type`.
Result<void> check_json_content(const Headers& headers);

} // namespace flotilla::http
