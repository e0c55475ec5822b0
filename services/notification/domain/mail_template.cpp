#include "services/notification/domain/mail_template.hpp"

#include <algorithm>
#include <stdexcept>

namespace notification {
namespace {

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += c;
        }
    }
}

std::string_view value_of(std::string_view name, std::span<const TemplateValue> values) {
    const auto found = std::ranges::find(values, name, &TemplateValue::first);
    if (found == values.end()) throw std::logic_error("a mail's template asks for {{" + std::string(name) + "}}");
    return found->second;
}

template <class Append>
std::string filled(std::string_view text, std::span<const TemplateValue> values, Append append) {
    std::string out;
    for (auto at = text.find("{{"); at != std::string_view::npos; at = text.find("{{")) {
        const auto end = text.find("}}", at);
        if (end == std::string_view::npos) throw std::logic_error("a mail's template has {{ without }}");
        out += text.substr(0, at);
        append(out, value_of(text.substr(at + 2, end - at - 2), values));
        text.remove_prefix(end + 2);
    }
    out += text;
    return out;
}

} // namespace

std::string filled_text(std::string_view text, std::span<const TemplateValue> values) {
    return filled(text, values, [](std::string& out, std::string_view value) { out += value; });
}

std::string filled_html(std::string_view html, std::span<const TemplateValue> values) {
    return filled(html, values, &append_escaped);
}

} // namespace notification
