#include <flotilla/discovery/outage.hpp>

namespace flotilla {

Outage::Outage(World& world, Telemetry& telemetry, std::string registry, const std::string& task, Words words)
    : world_(world), log_(telemetry.log), registry_(std::move(registry)), words_(std::move(words)),
      failures_(telemetry.metrics.counter("flotilla_discovery_failures_total",
                                          "What was asked of the registry and failed.",
                                          {{"registry", registry_}, {"task", task}})),
      age_(world, telemetry.metrics, "flotilla_discovery_outage_seconds",
           "How long the registry has not done what was asked of it.", {{"registry", registry_}, {"task", task}}) {}

void Outage::failed(bool& failing, const Error& why) {
    failures_.add();
    if (std::exchange(failing, true) || failing_++ > 0) return;
    age_.set(world_.now());
    log_.warning(words_.begun, {{"registry", registry_}, {"reason", why.message()}});
}

void Outage::answered(bool& failing) {
    if (!std::exchange(failing, false) || --failing_ > 0) return;
    log_.info(words_.ended, {{"registry", registry_}, {"after", in_seconds(age_.age())}});
    age_.set(std::nullopt);
}

} // namespace flotilla
