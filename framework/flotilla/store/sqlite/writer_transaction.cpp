#include <flotilla/store/sqlite/writer_transaction.hpp>

#include <algorithm>

#include <flotilla/base/uuid.hpp>

namespace flotilla::sqlite {
namespace {

/// SplitMix64. The seed comes from the World, whose randomness belongs to its loop's thread.
std::uint64_t next_random(std::uint64_t& state) {
    std::uint64_t mixed = state += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
}

} // namespace

std::string WriterTransaction::new_id() {
    std::array<std::uint8_t, 10> random{};
    const std::uint64_t high = next_random(request_.id_seed[0]);
    const std::uint64_t low = next_random(request_.id_seed[1]);
    for (std::size_t i = 0; i < 8; ++i)
        random[i] = static_cast<std::uint8_t>(high >> (8 * i));
    for (std::size_t i = 8; i < 10; ++i)
        random[i] = static_cast<std::uint8_t>(low >> (8 * (i - 8)));
    return make_uuid_v7(request_.now, random);
}

void WriterTransaction::signal(std::string_view name) {
    if (std::ranges::find(request_.signals, name) == request_.signals.end()) request_.signals.emplace_back(name);
}

} // namespace flotilla::sqlite
