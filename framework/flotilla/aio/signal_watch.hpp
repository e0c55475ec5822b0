#pragma once

#include <cstddef>
#include <initializer_list>

namespace flotilla::detail {

/// Signals as bytes of a pipe: each of the given signals that arrives while the watch lives becomes readable at fd().
/// Several watches of one signal all get it; the last one to go restores what the process did before.
/// A signal's action belongs to the whole process, which is why there is a table of watches behind this.
/// Thread-safety: creating and destroying is safe from any thread; reading belongs to one.
class SignalWatch {
public:
    /// Throws std::system_error when a signal cannot be caught or the process has no descriptors left, and
    /// std::length_error beyond 16 watches at a time.
    explicit SignalWatch(std::initializer_list<int> signals);
    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;
    ~SignalWatch();

    /// Readable when next() has something. Non-blocking; belongs to the watch.
    int fd() const;
    /// The next signal that arrived; 0: none.
    int next();

private:
    void end();
    std::size_t slot_;
};

} // namespace flotilla::detail
