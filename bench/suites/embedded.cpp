#include "bench/suites/embedded.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <stdexcept>

namespace flotilla::bench {

Measurement measure_embedded(const Setting& setting, const std::string& program, int concurrent) {
    const TemporaryFolder folder(setting.data);
    ServerProcess process(
        {.arguments = {setting.programs / program, "--file", folder.path() / "bench.db", "--concurrent",
                       std::to_string(concurrent), "--seconds", fmt::format("{:.3f}", setting.seconds.count())},
         .folder = folder.path(),
         .name = program});
    if (process.wait() != 0) throw std::runtime_error(process.complaint("failed"));
    Measurement seen;
    if (std::sscanf(process.output().c_str(), "%lf %lf %lf %lf", &seen.per_second, &seen.cpu_us, &seen.p50_us,
                    &seen.p99_us) != 4) {
        throw std::runtime_error(process.complaint("printed something else than figures"));
    }
    return seen;
}

} // namespace flotilla::bench
