#include "services/notification/domain/mails.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <flotilla/base/base64.hpp>
#include <flotilla/base/text.hpp>
#include <services/notification/domain/templates.hpp>

#include "services/notification/domain/mail_template.hpp"

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

/// A template as it stands in its files: the text begins with the line "Subject: ...", and an empty one.
struct MailTemplate {
    std::string_view text;
    std::string_view html = {};
};

MailTemplate template_of(Template kind) {
    switch (kind) {
    case Template::welcome:
        return {templates::welcome_txt};
    case Template::order_confirmed:
        return {templates::order_confirmed_txt};
    case Template::order_cancelled:
        return {templates::order_cancelled_txt, templates::order_cancelled_html};
    case Template::order_dispatched:
        return {templates::order_dispatched_txt, templates::order_dispatched_html};
    }
    throw std::logic_error("there is no template of that kind");
}

/// One part of a message: its own fields, and its text in base64.
void append_part(std::string& out, std::string_view type, std::string_view content) {
    out.append("Content-Type: ").append(type).append("; charset=utf-8\r\n");
    out += "Content-Transfer-Encoding: base64\r\n\r\n";
    const auto body = base64(content);
    for (std::size_t i = 0; i < body.size(); i += 76)
        out += body.substr(i, 76) + "\r\n";
}

/// Base64 has no '=' followed by '_'.
constexpr std::string_view kBoundary = "=_flotilla";

} // namespace

std::string message_id_of(const std::string& event_id) { return event_id + "@notification.flotilla"; }

Mail mail_about(const Notification& notification, const Recipient& to) {
    constexpr std::string_view kSubject = "Subject: ";
    const auto& [text, html] = template_of(notification.kind);
    const std::string order = notification.order_id.value_or("");
    const std::string reason = notification.reason.value_or("");
    const std::array values{TemplateValue{"name", to.name}, TemplateValue{"order", order},
                            TemplateValue{"reason", reason}};
    const auto end = text.find("\n\n");
    return {message_id_of(notification.id),
            to.address,
            to.name,
            filled_text(text.substr(kSubject.size(), end - kSubject.size()), values),
            filled_text(text.substr(end + 2), values),
            filled_html(html, values)};
}

std::string to_rfc5322(const Mail& mail, const std::string& from, Timestamp date) {
    std::string text;
    text += "Date: " + date.to_mail_date() + "\r\n";
    text += "From: " + from + "\r\n";
    text += "To: " + display_name(mail.to_name) + " <" + without_controls(mail.to_address) + ">\r\n";
    text += "Message-ID: <" + without_controls(mail.message_id) + ">\r\n";
    text += "Subject: " + header_text(mail.subject) + "\r\n";
    text += "MIME-Version: 1.0\r\n";
    if (mail.html.empty()) {
        append_part(text, "text/plain", mail.text);
        return text;
    }
    const auto boundary = "--" + std::string(kBoundary);
    text.append("Content-Type: multipart/alternative; boundary=\"").append(kBoundary).append("\"\r\n\r\n");
    text += boundary + "\r\n";
    append_part(text, "text/plain", mail.text);
    text += boundary + "\r\n";
    append_part(text, "text/html", mail.html);
    text += boundary + "--\r\n";
    return text;
}

} // namespace notification
