#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::hub {

struct SmtpLimits {
    std::size_t message_bytes_max = 10 * 1024 * 1024;
    std::size_t line_bytes_max = 2048; ///< of commands, with CRLF
    std::size_t recipients_max = 100;
    int errors_max = 20; ///< then the session is ended
    /// AUTH PLAIN and LOGIN are offered and take any name and password, for clients that do not send without. Only
    /// where nobody but this machine can connect: elsewhere a password would cross the network for nothing.
    bool authentication = false;
};

/// A mail as it came over SMTP.
struct IncomingMail {
    std::string sender; ///< empty: a bounce, "<>"
    std::vector<std::string> recipients;
    std::string data; ///< headers and body, dots unstuffed, CRLF line ends
};

/// The server's side of one SMTP session (RFC 5321, with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, and AUTH where the
/// limits say so): bytes in, replies out, no I/O. Lines end with CRLF only: a bare LF or CR ends the session, so that
/// nobody can smuggle a second message past a relay that reads line ends differently. So does a line of another
/// protocol: a page in a browser can send one here, and mails behind it. Thread-safety: none.
class SmtpSession {
public:
    explicit SmtpSession(SmtpLimits limits = {}) : limits_(limits) {}

    enum class Need : unsigned char {
        bytes, ///< feed() more
        store, ///< mail() is complete: keep it, then call stored() or not_stored()
        close, ///< send the replies and close
    };
    void feed(std::string_view bytes) { buffer_.append(bytes); }
    /// Goes on with what was fed and appends replies.
    Need advance(std::string& replies);
    const IncomingMail& mail() const { return mail_; }
    void stored(std::string_view id, std::string& replies);
    void not_stored(std::string& replies); ///< 452: the client tries again later
    /// The protocol of the line that ended the session, "HTTP" or "TLS"; empty when none did.
    std::string_view foreign_protocol() const { return foreign_protocol_; }

    static std::string_view greeting() { return "220 flotilla-hub ESMTP mail catcher\r\n"; }

private:
    enum class State : unsigned char { command, data, plain_response, login_name, login_password, closed };

    using Step = std::optional<Need>; ///< nothing: go on with what has arrived

    Step command_line(std::string& replies);
    Step data_lines(std::string& replies);
    Step finish_data(std::string& replies);
    void run(std::string_view line, std::string& replies);
    void hello(std::string_view verb, std::string_view argument, std::string& replies);
    void mail_from(std::string_view argument, std::string& replies);
    void rcpt_to(std::string_view argument, std::string& replies);
    void data(std::string_view argument, std::string& replies);
    void authenticate(std::string_view argument, std::string& replies);
    void auth_response(std::string_view line, std::string& replies);
    void refuse_authentication(std::string_view reply, std::string& replies);
    void bad(std::string_view reply, std::string& replies);
    Step fatal(std::string_view reply, std::string& replies);
    void clear_mail();

    SmtpLimits limits_;
    State state_ = State::command;
    std::string buffer_;
    std::size_t scanned_ = 0; // of buffer_: no line end before
    bool greeted_ = false;
    bool authenticated_ = false;
    bool in_mail_ = false;
    bool too_large_ = false;
    int errors_ = 0;
    std::string_view foreign_protocol_; // a constant
    IncomingMail mail_;
};

} // namespace flotilla::hub
