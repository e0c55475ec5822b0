#include <flotilla/http/exchange.hpp>

#include <algorithm>

namespace flotilla::http {

namespace {
constexpr std::uint64_t kReserveMax = 256 * 1024; // what a peer merely announces is not allocated beyond this
} // namespace

task<Result<std::string>> Exchange::read_all(Context& context) {
    std::string body;
    const auto size = request_body_size();
    if (size.framing == BodySize::Framing::none) co_return body;
    if (size.framing == BodySize::Framing::known)
        body.reserve(static_cast<std::size_t>(std::min(size.bytes, kReserveMax)));
    while (true) {
        auto piece = co_await read(context);
        if (!piece) co_return std::move(piece.error());
        if (piece->empty()) co_return body;
        body.append(*piece);
    }
}

} // namespace flotilla::http
