#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <flotilla/http/exchange.hpp>

namespace flotilla::http {

/// A request body to send, taken piece by piece, and no faster than the server takes it: bytes that the caller keeps,
/// or a function that gives pieces. Used for one call; it must outlive it. Not movable. Thread-safety: none.
class BodySource {
public:
    /// The next piece; empty at the end. Valid until the next call. An error ends the call with it, and the server sees
    /// a broken request. May be a coroutine.
    using Next = std::function<task<Result<std::string_view>>(Context&)>;

    explicit BodySource(std::string_view bytes, std::string content_type = "application/octet-stream")
        : bytes_(bytes), size_(BodySize::of(bytes.size())), content_type_(std::move(content_type)) {}
    /// size: exactly so many bytes will come, when it is known.
    explicit BodySource(Next next, BodySize size = BodySize::unknown(),
                        std::string content_type = "application/octet-stream")
        : next_(std::move(next)), size_(size), content_type_(std::move(content_type)) {}
    BodySource(const BodySource&) = delete;
    BodySource& operator=(const BodySource&) = delete;

    BodySize size() const { return size_; }
    const std::string& content_type() const { return content_type_; }

    task<Result<std::string_view>> read(Context& context);
    /// True once read() was called: a request that got no piece cannot have been acted upon.
    bool taken() const { return taken_; }
    /// Goes back to the start; false when what was taken is gone.
    bool rewind();

private:
    std::string_view bytes_;
    Next next_;
    BodySize size_;
    std::string content_type_;
    bool taken_ = false;
};

} // namespace flotilla::http
