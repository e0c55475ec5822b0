#include <flotilla/base/uuid.hpp>

#include <array>
#include <stdexcept>

#include <gtest/gtest.h>

namespace flotilla::uuid_test {
namespace {

constexpr std::array<std::uint8_t, 10> kZeros{};
constexpr std::array<std::uint8_t, 10> kOnes{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

// Goal: the example of RFC 9562 (A.6) comes out bit for bit.
TEST(Uuid, MakeFollowsTheStandardsExample) {
    // 017F22E2-79B0-7CC3-98C4-DC0C0C07398F: 2022-02-22T19:22:22Z, rand_a CC3, rand_b 18C4DC0C0C07398F.
    const std::array<std::uint8_t, 10> random{0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
    EXPECT_EQ(make_uuid_v7(Timestamp::parse("2022-02-22T19:22:22Z").value(), random),
              "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

// Goal: version and variant are set whatever the random bits are.
TEST(Uuid, MakeSetsVersionAndVariant) {
    EXPECT_EQ(make_uuid_v7(Timestamp(0), kZeros), "00000000-0000-7000-8000-000000000000");
    EXPECT_EQ(make_uuid_v7(Timestamp(0), kOnes), "00000000-0000-7fff-bfff-ffffffffffff");
}

// Goal: ids of later milliseconds sort behind earlier ones, whatever the random bits are.
TEST(Uuid, MakeSortsByTime) {
    Timestamp time(1'769'846'400'000'000);
    auto earlier = make_uuid_v7(time, kOnes);
    for (int i = 0; i < 1000; ++i) {
        time = time + std::chrono::milliseconds(1 + i * i);
        const auto later = make_uuid_v7(time, i % 2 ? kOnes : kZeros);
        EXPECT_LT(earlier, later);
        earlier = later;
    }
}

// Goal: a time that the 48 bits cannot hold is a bug, not a wrong id.
TEST(Uuid, MakeThrowsOutsideItsYears) {
    EXPECT_THROW(make_uuid_v7(Timestamp(-1), kZeros), std::out_of_range);
    EXPECT_NO_THROW(make_uuid_v7(Timestamp(((std::int64_t{1} << 48) - 1) * 1000), kZeros));
    EXPECT_THROW(make_uuid_v7(Timestamp((std::int64_t{1} << 48) * 1000), kZeros), std::out_of_range);
}

// Goal: only the 36-character form is a UUID.
TEST(Uuid, RecognisesItsForm) {
    EXPECT_TRUE(is_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
    EXPECT_TRUE(is_uuid("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"));
    EXPECT_FALSE(is_uuid(""));
    EXPECT_FALSE(is_uuid("123"));
    EXPECT_FALSE(is_uuid("017f22e279b07cc398c4dc0c0c07398f"));
    EXPECT_FALSE(is_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398g"));
    EXPECT_FALSE(is_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398"));
    EXPECT_FALSE(is_uuid("017f22e2-79b0-7cc3-98c4-dc0c0c07398f0"));
    EXPECT_FALSE(is_uuid("017f22e2079b0-7cc3-98c4-dc0c0c07398f"));
    EXPECT_FALSE(is_uuid("{17f22e2-79b0-7cc3-98c4-dc0c0c07398}"));
}

} // namespace
} // namespace flotilla::uuid_test
