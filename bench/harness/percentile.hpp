#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace flotilla::bench {

/// The smallest value that so many are not above: 0.99 gives the 99th percentile. 0 when there is none. Reorders.
inline double percentile(std::vector<float>& values, double share) {
    if (values.empty()) return 0;
    const auto count = std::max(1.0, std::ceil(static_cast<double>(values.size()) * share));
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(count) - 1;
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

} // namespace flotilla::bench
