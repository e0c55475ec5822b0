#pragma once

#include <functional>
#include <string>
#include <vector>

#include <flotilla/aio/context.hpp>

namespace flotilla {

struct KeyValue {
    std::string key, value;
    bool operator==(const KeyValue&) const = default;
};

/// The values that a registry keeps beside its instances, for configuration. Thread-safety: none; one per loop.
class KeyValues {
public:
    virtual ~KeyValues() = default;
    /// Follows the keys that begin with a prefix for as long as that goes well: all of them go to take(), at first and
    /// when one has changed. Returns what failed; call it again after a pause. Every call to the registry is bounded in
    /// time.
    virtual task<Result<void>> follow(Context& context, std::string prefix,
                                      std::function<void(std::vector<KeyValue>)> take) = 0;
};

} // namespace flotilla
