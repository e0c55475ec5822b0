#include "examples/greeting/greeting.hpp"

#include <gtest/gtest.h>

#include <flotilla/testing/test_service.hpp>

namespace greeting::greeting_test {
namespace {

using namespace flotilla;

// Goal: the smallest service answers over real HTTP, and refuses what its contract does not allow.
TEST(ExampleGreeting, NamedIsGreeted) {
    TestService greetings{install};
    const auto answer = greetings.get("/greetings/Ada%20L.");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.json().at("text"), "Hello, Ada L.!");
    EXPECT_EQ(greetings.get("/greetings/" + std::string(101, 'x')).status, 400);
    EXPECT_EQ(greetings.get("/greetings").status, 404);
}

} // namespace
} // namespace greeting::greeting_test
