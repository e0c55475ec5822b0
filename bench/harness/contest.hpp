#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/harness/closed_loop.hpp"

namespace flotilla::bench {

/// Somebody who is measured.
struct Contender {
    std::string name;
    std::function<Measurement()> measure;
};

/// Measures everybody once per round, in turn, so that what disturbs the machine disturbs all alike.
/// The medians, figure by figure, in the order of the contenders.
std::vector<Measurement> contest(const std::vector<Contender>& contenders, int rounds);

double median(std::vector<double> values);

} // namespace flotilla::bench
