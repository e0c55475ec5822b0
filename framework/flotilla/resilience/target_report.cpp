#include <flotilla/resilience/target_report.hpp>

#include <algorithm>
#include <cmath>

namespace flotilla {
namespace {

double rounded(double value, double per) { return std::round(value * per) / per; }

InstanceReport report_of(const TargetInstance& instance, const BalancingOptions& options, Instant now) {
    InstanceReport report{.id = instance.id,
                          .incarnation = instance.incarnation,
                          .state = std::string(name(instance.breaker.state())),
                          .in_flight = instance.in_flight,
                          .failure_rate = rounded(instance.failure_rate.value(options.failure_decay, now), 1e4),
                          .weight = instance.weight,
                          .own_zone = instance.own_zone};
    if (instance.breaker.state() != BreakerState::closed) report.detail = instance.breaker.detail(now);
    if (instance.latency.known())
        report.latency_ms = rounded(instance.latency.value(options.latency_decay, now) / 1e6, 1e3);
    return report;
}

/// Each option that is said of an endpoint, as the last one says it.
std::vector<OptionReport> options_of(const TargetConfiguration& configuration, const std::string& service,
                                     const std::string& endpoint) {
    std::vector<OptionReport> options;
    for (const auto& setting : configuration.settings()) {
        if (setting.target != service || setting.endpoint != endpoint) continue;
        std::erase_if(options, [&](const OptionReport& each) { return each.key == setting.key; });
        options.push_back({setting.key, setting.value, setting.source});
    }
    return options;
}

TargetReport report_of(const Target& target, const TargetConfiguration& configuration, Instant now) {
    TargetReport report{.service = target.service(), .under_way = target.under_way(), .waiting = target.waiting()};
    for (const auto& instance : target.instances())
        report.instances.push_back(report_of(*instance, target.options().balancing, now));
    report.panic = target.options().availability.panic && !report.instances.empty() &&
                   std::ranges::none_of(target.instances(), [](const TargetInstancePtr& each) {
                       return each->breaker.state() == BreakerState::closed;
                   });
    for_each_target_option(target.options(), [&](std::string_view key, const std::string& value) {
        report.options.push_back(
            {std::string(key), value, std::string(configuration.source_of(target.service(), key))});
    });
    for (const auto& endpoint : configuration.endpoints_of(target.service()))
        report.endpoints.push_back({endpoint, options_of(configuration, target.service(), endpoint)});
    return report;
}

} // namespace

TargetsReport report_targets(const Targets& targets, std::string_view loop, Instant now) {
    TargetsReport report{.loop = std::string(loop)};
    for (const auto& [service, target] : targets.all())
        report.targets.push_back(report_of(*target, targets.configuration(), now));
    return report;
}

} // namespace flotilla
