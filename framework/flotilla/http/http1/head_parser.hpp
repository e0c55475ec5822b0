#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/http/http1/framing.hpp>
#include <flotilla/http/http1/known_field.hpp>
#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// What a head may hold; see ServerOptions and ClientOptions.
struct HeadLimits {
    std::size_t start_line_bytes = 8 * 1024;
    std::size_t field_bytes = 32 * 1024; ///< all field lines together
    std::size_t field_count = 100;
};

/// Why a message is refused: what a server answers, and what a client reports as bad_gateway.
struct ProtocolError {
    int status = 0; ///< 0: none
    std::string_view code;
    std::string_view detail;
    std::size_t limit = 0;      ///< that was exceeded; 0: none
    std::string_view unit = {}; ///< of the limit
    explicit operator bool() const { return status != 0; }
    /// "there are too many header fields (more than 100)"
    std::string text() const;
};

/// Who sent a message. A client's is taken strictly; in a server's some faults are put right, as RFC 9112 asks of
/// proxies: no reason phrase (§4), white space before a colon (§5.1), folded lines (§5.2).
enum class Origin : unsigned char { client, server };

enum class Progress : unsigned char { more, done, failed };

/// Parses a field section line by line, strictly (RFC 9110 §5, RFC 9112 §5): CRLF only, tokens for names, no control
/// characters in values; from clients no folding and no space before a colon either. A bare LF ends no line, from
/// whomever: an origin that lets text of others into a field and takes only CRLF for its end would let them write
/// fields and whole answers. What was fed may be cut anywhere: complete lines are consumed and copied out (of a server
/// once the byte behind them shows that they are not continued), the rest is to be fed again with what follows it.
/// RequestParser and ResponseParser put their start line before it; by itself it parses trailers.
class HeadParser {
public:
    virtual ~HeadParser() = default;

    /// Parses from the front of `data`; `consumed` bytes are done with. Not to be called again after done or failed.
    Progress feed(std::string_view data, std::size_t& consumed);
    const ProtocolError& error() const { return error_; }
    /// Where it failed, for logs: the begin of a start line, or the name of a field but never its value; empty when
    /// the line is not known.
    const std::string& failed_at() const { return failed_at_; }
    /// True once any byte of this head has been looked at (an ignored empty line before a request is none).
    bool started() const { return started_; }

    /// Starts a trailer section. Fields that may be none (RFC 9110 §6.5.1) are discarded; a client that frames or
    /// routes its message once more is refused.
    void start_trailers(Headers& into, const HeadLimits& limits, Origin origin) {
        start(into, limits, Stage::fields, origin);
    }

protected:
    enum class Stage : unsigned char { start_line, fields };

    void start(Headers& into, const HeadLimits& limits, Stage stage, Origin origin);
    bool fail(int status, std::string_view code, std::string_view detail, std::size_t limit = 0,
              std::string_view unit = {}) {
        error_ = {status, code, detail, limit, unit};
        return false;
    }
    bool bad(std::string_view detail) { return fail(400, "bad_message", detail); }
    std::size_t keep(KnownField known, std::string_view name, std::string_view value) {
        headers_->append(known, name, value);
        return headers_->size() - 1;
    }
    const HeadLimits& limits() const { return limits_; }

    virtual bool start_line(std::string_view line);
    virtual bool start_line_too_long();
    virtual bool field(KnownField known, std::string_view name, std::string_view value);
    virtual bool complete() { return true; }
    /// An empty line before the start line: true when it is to be ignored.
    virtual bool skip_empty_line() { return false; }

private:
    bool line(std::string_view text, bool& finished);
    bool continued_line(std::string_view text);
    bool count(std::string_view text);
    bool field_line(std::string_view text);
    bool partial(std::size_t bytes);
    Progress fail_at(std::string_view line);

    Headers* headers_ = nullptr;
    HeadLimits limits_;
    Origin origin_ = Origin::client;
    Stage stage_ = Stage::fields;
    bool started_ = false;
    std::size_t searched_ = 0; // of the incomplete line: no LF in there
    std::size_t field_bytes_ = 0;
    std::size_t field_count_ = 0;
    std::string folded_; // a field whose lines are continued, so far
    ProtocolError error_;
    std::string failed_at_;
};

/// Parses request heads. Framing fields, Host and a satisfied Expect do not reach the head's headers.
class RequestParser final : public HeadParser {
public:
    void start(RequestHead& into, const HeadLimits& limits);

    /// After done:
    const MessageFraming& framing() const { return framing_; }
    bool expects_continue() const { return expects_continue_; }
    const Headers& headers() const { return head_->headers; }
    /// The first field of that name, for those that stay in the headers; nullopt without one.
    std::optional<std::string_view> known(KnownField field) const;
    /// There was more than one.
    bool repeated(KnownField field) const { return (repeated_ >> static_cast<unsigned>(field) & 1u) != 0; }

private:
    bool start_line(std::string_view line) override;
    bool start_line_too_long() override;
    bool field(KnownField known, std::string_view name, std::string_view value) override;
    bool complete() override;
    bool skip_empty_line() override;
    bool target(std::string_view text);

    RequestHead* head_ = nullptr;
    MessageFraming framing_;
    std::array<std::uint16_t, kKnownFields> first_{}; // index + 1 of the first field of each kind
    std::uint32_t repeated_ = 0;                      // a bit for each kind
    unsigned hosts_ = 0;
    bool absolute_ = false;
    bool expects_continue_ = false;
    bool skipped_line_ = false;
};

/// Parses response heads.
class ResponseParser final : public HeadParser {
public:
    void start(ResponseHead& into, const HeadLimits& limits);

    /// After done; the body also depends on the request, see MessageFraming::response_body.
    const MessageFraming& framing() const { return framing_; }

private:
    bool start_line(std::string_view line) override;
    bool start_line_too_long() override;
    bool field(KnownField known, std::string_view name, std::string_view value) override;
    bool complete() override;

    ResponseHead* head_ = nullptr;
    MessageFraming framing_;
};

} // namespace flotilla::http
