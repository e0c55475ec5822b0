#include "hub/smtp/smtp_session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/base64.hpp>

#include "hub/smtp/mail_path.hpp"

namespace flotilla::hub {

namespace {

bool has_bare_line_end(std::string_view line) { return line.find_first_of("\r\n") != std::string_view::npos; }

enum class Parameters : unsigned char { fine, unknown, too_large };

Parameters check_mail_parameters(const std::vector<std::string>& parameters, const SmtpLimits& limits) {
    for (const std::string& parameter : parameters) {
        if (parameter == "SMTPUTF8" || parameter == "BODY=7BIT" || parameter == "BODY=8BITMIME") continue;
        if (limits.authentication && parameter.starts_with("AUTH=")) continue; // RFC 4954 §5: who submitted it
        if (!parameter.starts_with("SIZE=")) return Parameters::unknown;
        std::uint64_t size = 0;
        const char* end = parameter.data() + parameter.size();
        const auto [parsed, failure] = std::from_chars(parameter.data() + 5, end, size);
        if (failure == std::errc::result_out_of_range) return Parameters::too_large;
        if (failure != std::errc() || parsed != end) return Parameters::unknown;
        if (size > limits.message_bytes_max) return Parameters::too_large;
    }
    return Parameters::fine;
}

/// The protocol of a line that is no SMTP: a request line or a field of HTTP, a handshake of TLS, which shows before
/// its "line" has come; empty: none is known.
std::string_view protocol_of(std::string_view line, bool whole) {
    if (line.starts_with("\x16\x03")) return "TLS";
    if (!whole) return {};
    constexpr std::array<std::string_view, 9> kMethods{"GET",     "POST",  "PUT",     "HEAD", "DELETE",
                                                       "OPTIONS", "PATCH", "CONNECT", "TRACE"};
    const std::string word = ascii_upper(line.substr(0, line.find(' ')));
    const bool is_method = std::ranges::find(kMethods, word) != kMethods.end();
    return is_method || (word.size() > 1 && word.ends_with(':')) ? "HTTP" : "";
}

/// The name and password of AUTH PLAIN: [authorization id] NUL name NUL password (RFC 4616).
bool is_plain_response(std::string_view response) {
    const std::size_t first = response.find('\0');
    const std::size_t second = first == std::string_view::npos ? first : response.find('\0', first + 1);
    return second != std::string_view::npos && second > first + 1 &&
           response.find('\0', second + 1) == std::string_view::npos;
}

constexpr std::string_view kAuthenticated = "235 2.7.0 Authentication succeeded: any password does\r\n";
constexpr std::string_view kNotBase64 = "501 5.5.2 That is not base64 (RFC 4954)\r\n";
constexpr std::string_view kBareLineEnd = "521 5.5.2 Bare CR or LF received: lines end with CRLF\r\n";
constexpr std::string_view kTooLarge = "552 5.3.4 The message is larger than 10 MiB\r\n";

} // namespace

SmtpSession::Need SmtpSession::advance(std::string& replies) {
    std::optional<Need> need;
    while (!need) {
        if (state_ == State::closed) return Need::close;
        need = state_ == State::data ? data_lines(replies) : command_line(replies);
    }
    return *need;
}

SmtpSession::Step SmtpSession::fatal(std::string_view reply, std::string& replies) {
    replies += reply;
    state_ = State::closed;
    return Need::close;
}

/// Runs the next command line, if it has arrived.
SmtpSession::Step SmtpSession::command_line(std::string& replies) {
    const std::size_t end = buffer_.find("\r\n", scanned_ ? scanned_ - 1 : 0);
    const std::string_view line = std::string_view(buffer_).substr(0, end);
    // Of an incomplete line the CR may have come already.
    const std::size_t line_end = end == std::string::npos && line.ends_with('\r') ? 1 : 2;
    foreign_protocol_ = protocol_of(line, end != std::string::npos);
    if (!foreign_protocol_.empty()) {
        return fatal("521 5.5.1 This is SMTP and no " + std::string(foreign_protocol_) + ": the session ends\r\n",
                     replies);
    }
    if (line.size() + line_end > limits_.line_bytes_max) return fatal("500 5.5.2 Line too long\r\n", replies);
    if (end == std::string::npos) {
        if (line.find('\n') != std::string_view::npos)
            return fatal("521 5.5.2 Bare LF received: lines end with CRLF\r\n", replies);
        scanned_ = buffer_.size();
        return Need::bytes;
    }
    if (has_bare_line_end(line)) return fatal(kBareLineEnd, replies);
    const std::string command(line);
    buffer_.erase(0, end + 2);
    scanned_ = 0;
    state_ == State::command ? run(command, replies) : auth_response(command, replies);
    return std::nullopt;
}

void SmtpSession::run(std::string_view line, std::string& replies) {
    const std::size_t blank = line.find(' ');
    const std::string verb = ascii_upper(line.substr(0, blank));
    const std::string_view argument = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    if (verb == "EHLO" || verb == "HELO") return hello(verb, argument, replies);
    if (verb == "NOOP") return void(replies += "250 2.0.0 OK\r\n");
    if (verb == "RSET") {
        clear_mail();
        return void(replies += "250 2.0.0 OK\r\n");
    }
    if (verb == "QUIT") return void(fatal("221 2.0.0 Bye\r\n", replies));
    if (verb == "VRFY") return void(replies += "252 2.1.5 Every mailbox is caught here\r\n");
    if (verb == "MAIL") return mail_from(argument, replies);
    if (verb == "RCPT") return rcpt_to(argument, replies);
    if (verb == "DATA") return data(argument, replies);
    if (verb == "AUTH") return authenticate(argument, replies);
    if (verb == "HELP") return void(replies += "214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT\r\n");
    const bool known = verb == "EXPN" || verb == "STARTTLS" || verb == "BDAT" || verb == "TURN";
    bad(known ? "502 5.5.1 Command not implemented\r\n" : "500 5.5.2 Command not recognized\r\n", replies);
}

void SmtpSession::bad(std::string_view reply, std::string& replies) {
    replies += reply;
    if (++errors_ > limits_.errors_max) fatal("421 4.7.0 Too many errors\r\n", replies);
}

void SmtpSession::clear_mail() {
    mail_ = {};
    in_mail_ = false;
    too_large_ = false;
}

void SmtpSession::hello(std::string_view verb, std::string_view argument, std::string& replies) {
    if (argument.empty()) return bad("501 5.5.4 Say who you are\r\n", replies);
    clear_mail();
    greeted_ = true;
    if (verb == "HELO") return void(replies += "250 flotilla-hub\r\n");
    replies += "250-flotilla-hub\r\n250-PIPELINING\r\n250-SIZE " + std::to_string(limits_.message_bytes_max) +
               "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n";
    if (limits_.authentication) replies += "250-AUTH PLAIN LOGIN\r\n";
    replies += "250 SMTPUTF8\r\n";
}

void SmtpSession::authenticate(std::string_view argument, std::string& replies) {
    if (!limits_.authentication)
        return bad("502 5.5.1 AUTH is taken on loopback only, where any password does: send without\r\n", replies);
    if (!greeted_) return bad("503 5.5.1 Say EHLO first\r\n", replies);
    if (authenticated_) return bad("503 5.5.1 You are authenticated already\r\n", replies);
    if (in_mail_) return bad("503 5.5.1 AUTH comes before MAIL\r\n", replies);
    const std::size_t blank = argument.find(' ');
    const std::string mechanism = ascii_upper(argument.substr(0, blank));
    if (mechanism.empty()) return bad("501 5.5.4 Syntax: AUTH PLAIN|LOGIN [response]\r\n", replies);
    if (mechanism != "PLAIN" && mechanism != "LOGIN")
        return bad("504 5.5.4 Only PLAIN and LOGIN are known here\r\n", replies);
    state_ = mechanism == "PLAIN" ? State::plain_response : State::login_name;
    // A response may come with the command; "=" is an empty one (RFC 4954 §4).
    if (blank != std::string_view::npos && blank + 1 < argument.size()) {
        const auto initial = argument.substr(blank + 1);
        return auth_response(initial == "=" ? std::string_view() : initial, replies);
    }
    replies += mechanism == "PLAIN" ? "334 \r\n" : "334 VXNlcm5hbWU6\r\n"; // "Username:"
}

/// A line of the exchange that AUTH began.
void SmtpSession::auth_response(std::string_view line, std::string& replies) {
    if (line == "*") return refuse_authentication("501 5.7.0 Authentication is cancelled\r\n", replies);
    const auto response = parse_base64(line);
    if (!response) return refuse_authentication(kNotBase64, replies);
    if (state_ == State::login_name) {
        state_ = State::login_password;
        return void(replies += "334 UGFzc3dvcmQ6\r\n"); // "Password:"
    }
    if (state_ == State::plain_response && !is_plain_response(*response))
        return refuse_authentication("501 5.5.2 PLAIN wants NUL name NUL password (RFC 4616)\r\n", replies);
    state_ = State::command;
    authenticated_ = true;
    replies += kAuthenticated;
}

void SmtpSession::refuse_authentication(std::string_view reply, std::string& replies) {
    state_ = State::command;
    bad(reply, replies);
}

void SmtpSession::mail_from(std::string_view argument, std::string& replies) {
    if (!greeted_) return bad("503 5.5.1 Say EHLO first\r\n", replies);
    if (in_mail_) return bad("503 5.5.1 There is a sender already\r\n", replies);
    if (!ascii_upper(argument.substr(0, 5)).starts_with("FROM:"))
        return bad("501 5.5.4 Syntax: MAIL FROM:<address>\r\n", replies);
    const auto path = parse_mail_path(argument.substr(5));
    if (!path) return bad("501 5.1.7 Syntax: MAIL FROM:<address>\r\n", replies);
    switch (check_mail_parameters(path->parameters, limits_)) {
    case Parameters::unknown:
        return bad("555 5.5.4 Unknown parameter\r\n", replies);
    case Parameters::too_large:
        return bad(kTooLarge, replies);
    case Parameters::fine:
        break;
    }
    clear_mail();
    mail_.sender = path->address;
    in_mail_ = true;
    replies += "250 2.1.0 OK\r\n";
}

void SmtpSession::rcpt_to(std::string_view argument, std::string& replies) {
    if (!in_mail_) return bad("503 5.5.1 Say MAIL first\r\n", replies);
    if (!ascii_upper(argument.substr(0, 3)).starts_with("TO:"))
        return bad("501 5.5.4 Syntax: RCPT TO:<address>\r\n", replies);
    const auto path = parse_mail_path(argument.substr(3));
    if (!path || path->address.empty()) return bad("501 5.1.3 Syntax: RCPT TO:<address>\r\n", replies);
    if (!path->parameters.empty()) return bad("555 5.5.4 Unknown parameter\r\n", replies);
    if (mail_.recipients.size() >= limits_.recipients_max) {
        // No mistake of the client: it sends to the others with its next mail (RFC 5321 4.5.3.1.10).
        replies += "452 4.5.3 Too many recipients\r\n";
        return;
    }
    mail_.recipients.push_back(path->address);
    replies += "250 2.1.5 OK\r\n";
}

void SmtpSession::data(std::string_view argument, std::string& replies) {
    if (!argument.empty()) return bad("501 5.5.4 DATA takes no argument\r\n", replies);
    if (!in_mail_) return bad("503 5.5.1 Say MAIL first\r\n", replies);
    if (mail_.recipients.empty()) return bad("554 5.5.1 No recipients\r\n", replies);
    replies += "354 End with a dot on a line of its own\r\n";
    state_ = State::data;
}

/// Takes the lines of a message that have arrived. Past the limit they are counted, not kept.
SmtpSession::Step SmtpSession::data_lines(std::string& replies) {
    std::size_t taken = 0;
    for (;;) {
        const std::size_t from = std::max(taken, scanned_ ? scanned_ - 1 : 0);
        const std::size_t end = buffer_.find("\r\n", from);
        if (end == std::string::npos) break;
        scanned_ = 0;
        std::string_view line = std::string_view(buffer_).substr(taken, end - taken);
        if (has_bare_line_end(line)) return fatal(kBareLineEnd, replies);
        taken = end + 2;
        if (line == ".") {
            buffer_.erase(0, taken);
            return finish_data(replies);
        }
        if (line.starts_with('.')) line.remove_prefix(1);
        too_large_ |= mail_.data.size() + line.size() + 2 > limits_.message_bytes_max;
        if (!too_large_) mail_.data.append(line).append("\r\n");
    }
    buffer_.erase(0, taken);
    // Not only once the line is whole: what is left of it after the next step would not show it any more.
    std::string_view unseen = std::string_view(buffer_).substr(scanned_ ? scanned_ - 1 : 0);
    if (unseen.ends_with('\r')) unseen.remove_suffix(1);
    if (has_bare_line_end(unseen)) return fatal(kBareLineEnd, replies);
    if (buffer_.size() > limits_.message_bytes_max) {
        too_large_ = true;
        buffer_ = buffer_.ends_with('\r') ? "x\r" : "x"; // of the line, only its end matters now
    }
    scanned_ = buffer_.size();
    return Need::bytes;
}

SmtpSession::Step SmtpSession::finish_data(std::string& replies) {
    state_ = State::command;
    if (!too_large_) return Need::store;
    clear_mail();
    replies += kTooLarge;
    return std::nullopt;
}

void SmtpSession::stored(std::string_view id, std::string& replies) {
    clear_mail();
    replies += "250 2.0.0 OK: kept as " + std::string(id) + "\r\n";
}

void SmtpSession::not_stored(std::string& replies) {
    clear_mail();
    replies += "452 4.3.1 Cannot keep the message now\r\n";
}

} // namespace flotilla::hub
