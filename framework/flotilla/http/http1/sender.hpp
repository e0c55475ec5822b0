#pragma once

#include <string>
#include <string_view>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/stream.hpp>

namespace flotilla::http {

/// The sending side of a connection: what is encoded waits here until it goes out with the body that follows it, one
/// write at a time. Thread-safety: none.
class Sender {
public:
    /// Where heads and chunk lines are encoded.
    std::string& buffer() { return encoded_; }
    /// Something is encoded, and nobody is sending it.
    bool has_unsent() const { return !encoded_.empty() && !sending_; }

    /// Writes what is encoded, then body and tail: one gathered write, or one plain one when the body is short.
    /// Waits for a send that is under way.
    task<Result<void>> send(Context& context, Stream& stream, std::string_view body, std::string_view tail);

private:
    std::string encoded_;
    std::string under_way_;
    bool sending_ = false;
    Event sent_;
};

} // namespace flotilla::http
