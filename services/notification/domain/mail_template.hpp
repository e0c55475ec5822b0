#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace notification {

/// A name in a template, as in {{order}}, with what stands for it.
using TemplateValue = std::pair<std::string_view, std::string_view>;

/// The template with the values in place of their names. Throws std::logic_error for a name that is none of them, or a
/// {{ without its end: the templates are part of the program.
std::string filled_text(std::string_view text, std::span<const TemplateValue> values);
/// The same for HTML: a value is text there, whatever it holds.
std::string filled_html(std::string_view html, std::span<const TemplateValue> values);

} // namespace notification
