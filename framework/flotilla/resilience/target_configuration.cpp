#include <flotilla/resilience/target_configuration.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/base/text.hpp>

namespace flotilla {
namespace {

constexpr std::string_view kSourceMark = " # ";

Error wrong(std::string message) { return {Kind::invalid, "invalid_configuration", std::move(message)}; }

} // namespace

Result<TargetSetting> parse_target_setting(std::string_view text, std::string source) {
    const auto mark = text.find(kSourceMark);
    const auto setting = text.substr(0, mark);
    const auto equals = setting.find('=');
    const auto name = setting.substr(0, equals);
    // The option is the last two parts: a service's name may have dots.
    const auto member = name.rfind('.');
    const auto group = member == name.npos || member == 0 ? name.npos : name.rfind('.', member - 1);
    if (equals == setting.npos || group == name.npos || group == 0) {
        return wrong("'" + shortened(setting) +
                     "': write it as SERVICE.OPTION=VALUE, such as user-service.retry.retries=1 or *.breaker.open=30s");
    }
    if (mark != text.npos) source = text.substr(mark + kSourceMark.size());
    return TargetSetting{.target = std::string(name.substr(0, group)),
                         .key = std::string(name.substr(group + 1)),
                         .value = std::string(setting.substr(equals + 1)),
                         .source = std::move(source)};
}

std::string to_text(const TargetSetting& setting) {
    std::string text = setting.target + "." + setting.key + "=" + setting.value;
    if (!setting.source.empty()) text.append(kSourceMark).append(setting.source);
    return text;
}

Result<void> TargetConfiguration::set(TargetSetting setting) {
    TargetOptions tried;
    if (auto known = set_target_option(tried, setting.key, setting.value); !known) return known;
    settings_.push_back(std::move(setting));
    return {};
}

Result<void> TargetConfiguration::set_all(const std::vector<std::string>& texts, const std::string& source,
                                          const std::vector<std::string>& known) {
    for (const auto& text : texts) {
        auto setting = parse_target_setting(text, source);
        if (!setting) return std::move(setting.error()).with_context(source);
        Result<void> taken;
        if (!known.empty()) taken = check_target_name(setting->target, known);
        if (taken) taken = set(std::move(*setting));
        if (!taken) return std::move(taken.error()).with_context(source + " " + text);
    }
    if (auto fit = check(); !fit) return std::move(fit.error()).with_context(source);
    return {};
}

Result<void> TargetConfiguration::check() const {
    auto named = services();
    named.emplace_back(kAllTargets);
    for (const auto& service : named) {
        auto checked = check_target_options(options_of(service));
        if (!checked) return std::move(checked.error()).with_context(service);
    }
    return {};
}

TargetOptions TargetConfiguration::options_of(std::string_view service, const TargetOptions& base) const {
    TargetOptions options = base;
    for (const auto target : {kAllTargets, service}) {
        // set() has tried each: none is refused.
        for (const auto& setting : settings_)
            if (setting.target == target) std::ignore = set_target_option(options, setting.key, setting.value);
    }
    return options;
}

std::string_view TargetConfiguration::source_of(std::string_view service, std::string_view key) const {
    std::string_view of_all = "default", own;
    for (const auto& setting : settings_) {
        if (setting.key != key) continue;
        if (setting.target == kAllTargets) of_all = setting.source;
        if (setting.target == service) own = setting.source;
    }
    return own.empty() ? of_all : own;
}

std::vector<std::string> TargetConfiguration::services() const {
    std::vector<std::string> names;
    for (const auto& setting : settings_) {
        if (setting.target == kAllTargets || std::ranges::find(names, setting.target) != names.end()) continue;
        names.push_back(setting.target);
    }
    return names;
}

Result<void> check_target_name(std::string_view service, const std::vector<std::string>& known) {
    if (service == kAllTargets || std::ranges::find(known, service) != known.end()) return {};
    return wrong("there is no service '" + shortened(service) + "'" + did_you_mean(service, known));
}

} // namespace flotilla
