#pragma once

#include <cstdint>
#include <string_view>

namespace flotilla::http {

/// How the end of a body is found (RFC 9112 §6).
enum class BodyFraming : unsigned char { none, known, chunked, until_close };

/// Gathers the fields that frame a message and refuses what two readers could understand differently.
class MessageFraming {
public:
    int minor_version = 1;

    /// Both answer false for a value that is not allowed.
    bool add_content_length(std::string_view value);
    bool add_transfer_encoding(std::string_view value);
    void add_connection(std::string_view value);

    bool has_length() const { return has_length_; }
    bool has_transfer_encoding() const { return has_transfer_encoding_; }
    /// A coding other than chunked was named.
    bool unknown_coding() const { return unknown_coding_; }
    /// Transfer-Encoding is exactly "chunked", once.
    bool chunked() const { return has_transfer_encoding_ && chunked_ && !unknown_coding_; }
    /// Saturated: a number beyond 64 bits is UINT64_MAX.
    std::uint64_t length() const { return length_; }

    /// The sender keeps the connection after this message.
    bool keep_alive() const { return !close_ && (minor_version >= 1 || keep_alive_); }
    bool upgrade() const { return upgrade_; }

    BodyFraming request_body() const;
    BodyFraming response_body(int status, bool to_head) const;

private:
    std::uint64_t length_ = 0;
    bool has_length_ = false;
    bool has_transfer_encoding_ = false;
    bool chunked_ = false;
    bool unknown_coding_ = false;
    bool close_ = false;
    bool keep_alive_ = false;
    bool upgrade_ = false;
};

} // namespace flotilla::http
