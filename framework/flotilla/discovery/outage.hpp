#pragma once

#include <flotilla/observe/age_gauge.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// That a registry does not do what several ask of it: told in the log when the first of them fails and when none does
/// any more, not for each. Thread-safety: none.
class Outage {
public:
    /// What it is called in the log, e.g. {"the registry does not answer", "the registry answers again"}.
    struct Words {
        std::string begun, ended;
    };

    /// registry: its URL. task: the metrics' label for what is asked, "watch" or "announce".
    Outage(World& world, Telemetry& telemetry, std::string registry, const std::string& task, Words words);

    /// One who asks has failed. `failing`: whether it failed the last time as well.
    void failed(bool& failing, const Error& why);
    /// One who asks was answered.
    void answered(bool& failing);

private:
    World& world_;
    Logger log_;
    std::string registry_;
    Words words_;
    Counter& failures_;
    std::size_t failing_ = 0;
    AgeGauge age_;
};

} // namespace flotilla
