#include "bench/harness/contest.hpp"

#include <algorithm>
#include <cstdio>

namespace flotilla::bench {

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<Measurement> contest(const std::vector<Contender>& contenders, int rounds) {
    std::vector<std::vector<Measurement>> taken(contenders.size());
    for (int round = 1; round <= rounds; ++round) {
        for (std::size_t i = 0; i < contenders.size(); ++i) {
            taken[i].push_back(contenders[i].measure());
            const auto& last = taken[i].back();
            std::fprintf(stderr, "  round %d/%d  %-24s %9.0f/s", round, rounds, contenders[i].name.c_str(),
                         last.per_second);
            if (last.cpu_us > 0) std::fprintf(stderr, "  %7.2f µs CPU", last.cpu_us);
            std::fputc('\n', stderr);
        }
    }
    std::vector<Measurement> medians;
    for (const auto& measurements : taken) {
        const auto of = [&measurements](double Measurement::* figure) {
            std::vector<double> values;
            for (const auto& measurement : measurements)
                values.push_back(measurement.*figure);
            return median(std::move(values));
        };
        medians.push_back({.cpu_us = of(&Measurement::cpu_us),
                           .per_second = of(&Measurement::per_second),
                           .p50_us = of(&Measurement::p50_us),
                           .p99_us = of(&Measurement::p99_us)});
    }
    return medians;
}

} // namespace flotilla::bench
