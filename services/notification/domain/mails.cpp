#include "services/notification/domain/mails.hpp"

#include <algorithm>

#include <flotilla/base/base64.hpp>
#include <flotilla/base/text.hpp>

namespace notification {
namespace {

std::string without_controls(std::string_view text) {
    std::string clean;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) clean += c;
    }
    return clean;
}

/// Unstructured header text; an encoded word is at most 75 characters long (RFC 2047 §2).
std::string header_text(std::string_view text) {
    const std::string clean = without_controls(text);
    const bool ascii = std::ranges::all_of(clean, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (ascii && clean.size() <= 900) return clean;
    std::string encoded;
    for (std::string_view rest = clean; !rest.empty();) {
        const auto size = std::max<std::size_t>(utf8_prefix(rest, 45).size(), 1);
        if (!encoded.empty()) encoded += "\r\n ";
        encoded += "=?UTF-8?B?" + base64(rest.substr(0, size)) + "?=";
        rest.remove_prefix(size);
    }
    return encoded;
}

/// A display name: quoted when ASCII, encoded otherwise.
std::string display_name(std::string_view name) {
    const auto text = header_text(name);
    if (text.starts_with("=?")) return text;
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

std::string greeting(const std::string& name) { return "Hello " + name + ",\n\n"; }

} // namespace

std::string message_id_of(const std::string& event_id) { return event_id + "@notification.flotilla"; }

Mail welcome_mail(const std::string& event_id, const std::string& address, const std::string& name) {
    return {message_id_of(event_id), address, name, "Welcome aboard",
            greeting(name) + "your account is ready. We are glad to have you with us.\n"};
}

Mail order_confirmed_mail(const std::string& event_id, const std::string& address, const std::string& name,
                          const std::string& order_id) {
    return {message_id_of(event_id), address, name, "Your order " + order_id + " is confirmed",
            greeting(name) + "your order " + order_id + " is confirmed and will be on its way soon.\n"};
}

std::string to_rfc5322(const Mail& mail, const std::string& from, Timestamp date) {
    std::string text;
    text += "Date: " + date.to_mail_date() + "\r\n";
    text += "From: " + from + "\r\n";
    text += "To: " + display_name(mail.to_name) + " <" + without_controls(mail.to_address) + ">\r\n";
    text += "Message-ID: <" + without_controls(mail.message_id) + ">\r\n";
    text += "Subject: " + header_text(mail.subject) + "\r\n";
    text += "MIME-Version: 1.0\r\n";
    text += "Content-Type: text/plain; charset=utf-8\r\n";
    text += "Content-Transfer-Encoding: base64\r\n\r\n";
    const auto body = base64(mail.text);
    for (std::size_t i = 0; i < body.size(); i += 76)
        text += body.substr(i, 76) + "\r\n";
    return text;
}

} // namespace notification
