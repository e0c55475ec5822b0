#include <flotilla/resilience/target_key_values.hpp>

#include <algorithm>

#include <flotilla/aio/scope.hpp>
#include <flotilla/base/text.hpp>
#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {
namespace {

constexpr std::string_view kOfAllCallers = "config/targets/";

Error wrong(std::string message) { return {Kind::invalid, "invalid_configuration", std::move(message)}; }

} // namespace

std::vector<std::string> TargetKeyValues::prefixes_of_service(const std::string& caller) {
    return {std::string(kOfAllCallers), "config/" + caller + "/targets/"};
}

std::vector<std::string> TargetKeyValues::prefixes_of_gateway(const std::string& caller) {
    return {"config/" + caller + "/targets/"};
}

TargetKeyValues::TargetKeyValues(World& world, Registry& registry, Targets& targets, Telemetry& telemetry,
                                 Options options)
    : world_(world), registry_(registry), targets_(targets), telemetry_(telemetry), options_(std::move(options)),
      said_before_(targets.configuration()) {
    for (const auto& prefix : options_.prefixes)
        followed_.push_back({.prefix = prefix});
}

task<void> TargetKeyValues::run(Context& context) {
    auto* values = registry_.key_values();
    if (values == nullptr) {
        if (options_.logs)
            telemetry_.log.info("options of calls cannot be changed at run time: the registry keeps no values");
        co_return;
    }
    Scope scope(context);
    for (auto& followed : followed_)
        scope.spawn(follow(scope.context(), *values, followed));
    co_await scope.join();
}

task<void> TargetKeyValues::follow(Context& context, KeyValues& values, Followed& followed) {
    Backoff backoff = retry_pace();
    bool failing = false;
    while (!context.cancelled()) {
        const auto outcome = co_await values.follow(context, followed.prefix, [&](const std::vector<KeyValue>& now) {
            if (std::exchange(failing, false)) backoff.reset();
            take(followed, now);
        });
        if (context.cancelled()) co_return;
        if (!outcome && !std::exchange(failing, true) && options_.logs) {
            telemetry_.log.warning("the registry does not tell its values; the options of calls stay as they are",
                                   {{"prefix", followed.prefix}, {"error", outcome.error().message()}});
        }
        // Ends early with the context, which the loop looks at.
        (void)co_await sleep_for(context, backoff.next(world_.random()));
    }
}

Result<TargetSetting> TargetKeyValues::read(const std::string& prefix, const KeyValue& value) const {
    const auto path = std::string_view(value.key).substr(prefix.size());
    const auto first = path.find('/'), last = path.rfind('/');
    if (first == path.npos || first == 0 || last + 1 == path.size())
        return wrong("write the key as " + prefix + "TARGET/OPTION or " + prefix + "TARGET/ENDPOINT/OPTION");
    TargetSetting setting{.target = std::string(path.substr(0, first)),
                          .key = std::string(path.substr(last + 1)),
                          .value = value.value,
                          .source = "KV " + value.key,
                          .endpoint = last > first ? std::string(path.substr(first + 1, last - first - 1)) : "",
                          .origin = SettingOrigin::key_values};
    TargetConfiguration alone;
    if (auto is_one = alone.set(setting); !is_one) return std::move(is_one.error());
    if (!is_changeable_option(setting.key)) return wrong(setting.key + " can only be said before the start");
    if (auto has = options_.check(setting, prefix != kOfAllCallers); !has) return std::move(has.error());
    return setting;
}

/// What was said before, with what is in force of each prefix. Errors: it does not fit together.
Result<TargetConfiguration> TargetKeyValues::configured() const {
    auto all = said_before_;
    for (const auto& followed : followed_) {
        for (const auto& [key, setting] : followed.in_force) {
            if (auto set = all.set(setting); !set) return std::move(set.error());
        }
    }
    if (auto fits = all.check(); !fits) return std::move(fits.error());
    return all;
}

void TargetKeyValues::take(Followed& followed, const std::vector<KeyValue>& values) {
    const auto before = std::exchange(followed.in_force, {});
    const auto refused_before = std::exchange(followed.refused, {});
    for (const auto& value : values) {
        auto setting = read(followed.prefix, value);
        if (setting) {
            followed.in_force.emplace(value.key, std::move(*setting));
            continue;
        }
        if (const auto old = before.find(value.key); old != before.end()) followed.in_force.insert(*old);
        refuse(followed, refused_before, {value.key, value.value, setting.error().message()});
    }
    if (followed.in_force == before) return;
    auto all = configured();
    if (all) {
        targets_.configure(std::move(*all));
        if (options_.logs) tell(before, followed);
        return;
    }
    for (const auto& [key, setting] : std::exchange(followed.in_force, before)) {
        const auto old = before.find(key);
        if (old != before.end() && old->second == setting) continue;
        refuse(followed, refused_before, {key, setting.value, all.error().message()});
    }
}

void TargetKeyValues::refuse(Followed& followed, const std::vector<RefusedValue>& before, RefusedValue value) const {
    if (options_.logs && std::ranges::find(before, value) == before.end()) {
        telemetry_.log.error("a value is refused; the option stays as it is",
                             {{"key", value.key}, {"value", shortened(value.value)}, {"error", value.error}});
    }
    followed.refused.push_back(std::move(value));
}

void TargetKeyValues::tell(const std::map<std::string, TargetSetting>& before, const Followed& followed) const {
    for (const auto& [key, setting] : followed.in_force) {
        const auto old = before.find(key);
        if (old != before.end() && old->second == setting) continue;
        telemetry_.log.info("an option of calls has changed", {{"key", key}, {"value", setting.value}});
    }
    for (const auto& [key, setting] : before) {
        if (!followed.in_force.contains(key)) telemetry_.log.info("an option of calls was taken back", {{"key", key}});
    }
}

std::vector<RefusedValue> TargetKeyValues::refused() const {
    std::vector<RefusedValue> all;
    for (const auto& followed : followed_)
        all.insert(all.end(), followed.refused.begin(), followed.refused.end());
    return all;
}

} // namespace flotilla
