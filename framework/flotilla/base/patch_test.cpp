#include <flotilla/base/patch.hpp>

#include <string>

#include <gtest/gtest.h>

namespace flotilla::patch_test {
namespace {

// Goal: the three states are told apart, and a new state replaces the old one.
TEST(Patch, HasExactlyOneOfThreeStates) {
    Patch<int> patch;
    EXPECT_TRUE(patch.is_absent() && !patch.is_null() && !patch.has_value());
    patch = nullptr;
    EXPECT_TRUE(!patch.is_absent() && patch.is_null() && !patch.has_value());
    patch = 5;
    EXPECT_TRUE(!patch.is_absent() && !patch.is_null() && patch.has_value());
    EXPECT_EQ(*patch, 5);
    patch.set_null();
    EXPECT_TRUE(patch.is_null() && !patch.has_value());
    patch.emplace() = 6;
    EXPECT_TRUE(patch.has_value() && !patch.is_null());
    patch.reset();
    EXPECT_EQ(patch, Patch<int>());
}

// Goal: applying changes a field only when the patch says so, and null clears only what can be empty.
TEST(Patch, ApplyChangesWhatItNames) {
    std::string name = "old";
    EXPECT_FALSE(Patch<std::string>().apply_to(name));
    EXPECT_FALSE(Patch<std::string>(nullptr).apply_to(name));
    EXPECT_EQ(name, "old");
    EXPECT_TRUE(Patch<std::string>("new").apply_to(name));
    EXPECT_EQ(name, "new");

    std::optional<std::string> note = "old";
    EXPECT_FALSE(Patch<std::string>().apply_to(note));
    EXPECT_EQ(note, "old");
    EXPECT_TRUE(Patch<std::string>(nullptr).apply_to(note));
    EXPECT_EQ(note, std::nullopt);
    EXPECT_TRUE(Patch<std::string>("new").apply_to(note));
    EXPECT_EQ(note, "new");
    EXPECT_EQ(Patch<int>().value_or(4), 4);
}

} // namespace
} // namespace flotilla::patch_test
