#include <flotilla/resilience/target_configuration.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/base/text.hpp>
#include <flotilla/contract/endpoint.hpp>

namespace flotilla {
namespace {

constexpr std::string_view kSourceMark = " # ";

Error wrong(std::string message) { return {Kind::invalid, "invalid_configuration", std::move(message)}; }

/// Whether it is written as contracts have it, and has such an option. Whether the service has it only a call tells.
Result<void> check_endpoint(const TargetSetting& setting) {
    const auto& endpoint = setting.endpoint;
    const auto space = endpoint.find(' ');
    const bool has_method = space != endpoint.npos && parse_method(endpoint.substr(0, space)) != Method::other;
    if (!has_method || endpoint.size() < space + 2 || endpoint[space + 1] != '/' ||
        endpoint.find_first_of(";[]") != endpoint.npos)
        return wrong("'" + shortened(endpoint) +
                     "' is no endpoint: write it as its contract does, such as GET /users/{id}");
    if (setting.target == kAllTargets)
        return wrong(endpoint + ": an endpoint is of one service, not of all (" + std::string(kAllTargets) + ")");
    if (is_option_of_calls(setting.key)) return {};
    return wrong(setting.key + " is of all calls to " + setting.target + ", not of one endpoint: say it there");
}

} // namespace

Result<TargetSetting> parse_target_setting(std::string_view text, std::string source) {
    const auto mark = text.find(kSourceMark);
    const auto setting = text.substr(0, mark);
    // An endpoint's path may have dots and what not.
    const auto bracket = std::min(setting.find('['), setting.find('='));
    const bool has_endpoint = bracket != setting.npos && setting[bracket] == '[';
    const auto closing = has_endpoint ? setting.find("].", bracket) : 0;
    const auto equals = closing == setting.npos ? closing : setting.find('=', closing);
    const auto name = setting.substr(0, equals);
    // The option is the last two parts: a service's name may have dots.
    const auto member = name.rfind('.');
    const auto group = member == name.npos || member == 0 ? name.npos : name.rfind('.', member - 1);
    if (equals == setting.npos || group == name.npos || group == 0 || group < closing) {
        return wrong("'" + shortened(setting) +
                     "': write it as SERVICE.OPTION=VALUE, such as user-service.retry.retries=1, *.breaker.open=30s or "
                     "user-service[GET /users/{id}].timeouts.call=1s");
    }
    if (mark != text.npos) source = text.substr(mark + kSourceMark.size());
    return TargetSetting{.target = std::string(name.substr(0, has_endpoint ? bracket : group)),
                         .key = std::string(name.substr(group + 1)),
                         .value = std::string(setting.substr(equals + 1)),
                         .source = std::move(source),
                         .endpoint = has_endpoint ? std::string(name.substr(bracket + 1, closing - bracket - 1))
                                                  : std::string(),
                         .origin = mark == text.npos ? SettingOrigin::given : SettingOrigin::file};
}

std::string to_text(const TargetSetting& setting) {
    std::string text = setting.target;
    if (!setting.endpoint.empty()) text += "[" + setting.endpoint + "]";
    text += "." + setting.key + "=" + setting.value;
    if (!setting.source.empty()) text.append(kSourceMark).append(setting.source);
    return text;
}

Result<void> TargetConfiguration::set(TargetSetting setting) {
    TargetOptions tried;
    if (auto known = set_target_option(tried, setting.key, setting.value); !known) return known;
    if (!setting.endpoint.empty()) {
        if (auto has = check_endpoint(setting); !has) return has;
    }
    const auto behind = std::ranges::upper_bound(settings_, setting.origin, {}, &TargetSetting::origin);
    settings_.insert(behind, std::move(setting));
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
        const auto options = options_of(service);
        auto checked = check_target_options(options);
        if (!checked) return std::move(checked.error()).with_context(service);
        for (const auto& endpoint : endpoints_of(service)) {
            checked = check_target_options(options_of_endpoint(service, endpoint, options));
            if (!checked) return std::move(checked.error()).with_context(service + " " + endpoint);
        }
    }
    return {};
}

TargetOptions TargetConfiguration::options_of(std::string_view service, const TargetOptions& base) const {
    TargetOptions options = base;
    for (const auto target : {kAllTargets, service}) {
        // set() has tried each: none is refused.
        for (const auto& setting : settings_)
            if (setting.target == target && setting.endpoint.empty())
                std::ignore = set_target_option(options, setting.key, setting.value);
    }
    return options;
}

TargetOptions TargetConfiguration::options_of_endpoint(std::string_view service, std::string_view endpoint,
                                                       const TargetOptions& of_service) const {
    TargetOptions options = of_service;
    for (const auto& setting : settings_) {
        if (setting.target == service && setting.endpoint == endpoint)
            std::ignore = set_target_option(options, setting.key, setting.value);
    }
    return options;
}

std::vector<std::string> TargetConfiguration::endpoints_of(std::string_view service) const {
    std::vector<std::string> endpoints;
    for (const auto& [target, key, value, source, endpoint, origin] : settings_) {
        if (target != service || endpoint.empty() || std::ranges::find(endpoints, endpoint) != endpoints.end())
            continue;
        endpoints.push_back(endpoint);
    }
    return endpoints;
}

std::string_view TargetConfiguration::source_of(std::string_view service, std::string_view key) const {
    std::string_view of_all = "default", own;
    for (const auto& setting : settings_) {
        if (setting.key != key || !setting.endpoint.empty()) continue;
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
