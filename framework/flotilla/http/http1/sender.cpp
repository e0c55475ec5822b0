#include <flotilla/http/http1/sender.hpp>

#include <array>
#include <span>

namespace flotilla::http {

namespace {

/// Copying so much costs less than what the kernel needs for another piece of a gathered write.
constexpr std::size_t kCopiedBytesMax = 2048;

} // namespace

task<Result<void>> Sender::send(Context& context, Stream& stream, std::string_view body, std::string_view tail) {
    while (sending_)
        co_await must(sent_.wait(context)); // who reads may be sending a head that waited
    under_way_.swap(encoded_);              // who reads beside this write must not send it too
    encoded_.clear();
    if (body.size() + tail.size() <= kCopiedBytesMax) {
        under_way_.append(body).append(tail);
        body = tail = {};
    }
    std::array<std::string_view, 3> pieces;
    std::size_t count = 0;
    for (const auto piece : {std::string_view(under_way_), body, tail}) {
        if (!piece.empty()) pieces[count++] = piece;
    }
    if (count == 0) co_return {};
    sending_ = true;
    auto written = co_await stream.write(context, std::span(pieces).first(count));
    sending_ = false;
    sent_.notify();
    if (!written) co_return std::move(written.error());
    co_return {};
}

} // namespace flotilla::http
