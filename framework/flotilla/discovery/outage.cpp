#include <flotilla/discovery/outage.hpp>

namespace flotilla {

Outage::Outage(World& world, Telemetry& telemetry, std::string registry, const std::string& task, Words words)
    : world_(world), telemetry_(telemetry), registry_(std::move(registry)), task_(task), words_(std::move(words)),
      age_(world, telemetry.metrics, "flotilla_discovery_outage_seconds",
           "How long the registry has not done what was asked of it.", {{"registry", registry_}, {"task", task}}) {}

void Outage::failed(bool& failing, const Error& why) {
    telemetry_.metrics
        .counter("flotilla_discovery_failures_total", "What was asked of the registry and failed, by the error's code.",
                 {{"registry", registry_}, {"task", task_}, {"code", why.code()}})
        .add();
    if (std::exchange(failing, true) || failing_++ > 0) return;
    age_.set(world_.now());
    telemetry_.log.warning(words_.begun, {{"registry", registry_}, {"reason", why.message()}});
}

void Outage::answered(bool& failing) {
    if (!std::exchange(failing, false) || --failing_ > 0) return;
    telemetry_.log.info(words_.ended, {{"registry", registry_}, {"after", in_seconds(age_.age())}});
    age_.set(std::nullopt);
}

} // namespace flotilla
