#include <flotilla/http/upgraded_stream.hpp>

#include <algorithm>

namespace flotilla::http {

void UpgradedStream::start_read(std::span<char> buffer, IoOperation& operation) {
    if (at_ == received_.size()) return start_read_on(*inner_, buffer, operation);
    const auto bytes = std::min(buffer.size(), received_.size() - at_);
    std::copy_n(received_.data() + at_, bytes, buffer.data());
    at_ += bytes;
    operation.complete(std::nullopt, bytes);
}

} // namespace flotilla::http
