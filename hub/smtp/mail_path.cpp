#include "hub/smtp/mail_path.hpp"

#include <algorithm>

namespace flotilla::hub {

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// A character of an atom or a dot between them; beyond ASCII everything is (RFC 6531 §3.3).
bool is_plain(char c) {
    return !is_control(c) && c != ' ' && std::string_view("()<>[]:;@\\,\"").find(c) == std::string_view::npos;
}

std::string_view take_while(std::string_view& text, bool (*wanted)(char)) {
    const auto end = static_cast<std::size_t>(std::ranges::find_if_not(text, wanted) - text.begin());
    const auto taken = text.substr(0, end);
    text.remove_prefix(end);
    return taken;
}

/// Takes a Quoted-string off the front and undoes its quoted-pairs; nullopt: it is none, or never ends.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string content;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return content;
        }
        if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
        if (is_control(text[i])) return std::nullopt;
        content += text[i];
    }
    return std::nullopt;
}

std::string quoted_where_needed(const std::string& local) {
    const bool dots_separate = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    if (!local.empty() && dots_separate && std::ranges::all_of(local, is_plain)) return local;
    std::string quoted = "\"";
    for (const char c : local) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

/// A name, or an address literal: "[127.0.0.1]", "[IPv6:::1]", "[tag:content]".
std::optional<std::string_view> take_domain(std::string_view& text) {
    if (!text.starts_with('[')) {
        const auto name = take_while(text, is_plain);
        return name.empty() ? std::nullopt : std::optional(name);
    }
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || end == 1) return std::nullopt;
    const auto literal = text.substr(0, end + 1);
    const auto content = literal.substr(1, end - 1);
    if (std::ranges::any_of(content, [](char c) { return is_control(c) || c == ' ' || c == '[' || c == '\\'; }))
        return std::nullopt;
    text.remove_prefix(end + 1);
    return literal;
}

std::optional<std::string> take_mailbox(std::string_view& text) {
    std::string mailbox;
    if (text.starts_with('"')) {
        const auto local = take_quoted(text);
        if (!local) return std::nullopt;
        mailbox = quoted_where_needed(*local);
    } else {
        mailbox = take_while(text, is_plain);
        if (mailbox.empty()) return std::nullopt;
    }
    if (!text.starts_with('@')) return mailbox; // "Postmaster", and what local programs send to
    text.remove_prefix(1);
    const auto domain = take_domain(text);
    if (!domain) return std::nullopt;
    return mailbox + '@' + std::string(*domain);
}

/// Skips "@a,@b:"; false when what begins like that is none.
bool skip_source_route(std::string_view& text) {
    while (text.starts_with('@')) {
        text.remove_prefix(1);
        if (!take_domain(text)) return false;
        const bool more = text.starts_with(",@");
        if (!more && !text.starts_with(':')) return false;
        text.remove_prefix(1);
        if (!more) return true;
    }
    return true; // there was none
}

std::vector<std::string> parameters_of(std::string_view text) {
    std::vector<std::string> parameters;
    while (!text.empty()) {
        text.remove_prefix(1); // a blank
        std::string word(text.substr(0, text.find(' ')));
        text.remove_prefix(word.size());
        for (char& c : word) {
            if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
        }
        if (!word.empty()) parameters.push_back(std::move(word));
    }
    return parameters;
}

} // namespace

std::optional<MailPath> parse_mail_path(std::string_view text) {
    while (text.starts_with(' '))
        text.remove_prefix(1);
    if (!text.starts_with('<')) return std::nullopt;
    text.remove_prefix(1);
    MailPath path;
    if (!text.starts_with('>')) {
        if (!skip_source_route(text)) return std::nullopt;
        auto mailbox = take_mailbox(text);
        if (!mailbox || !text.starts_with('>')) return std::nullopt;
        path.address = std::move(*mailbox);
    }
    text.remove_prefix(1);
    if (!text.empty() && text.front() != ' ') return std::nullopt;
    path.parameters = parameters_of(text);
    return path;
}

std::optional<std::string> canonical_mailbox(std::string_view text) {
    auto mailbox = take_mailbox(text);
    if (!mailbox || !text.empty()) return std::nullopt;
    return mailbox;
}

} // namespace flotilla::hub
