#include <flotilla/service/settings.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

namespace flotilla {
namespace {

struct Sample {
    std::string smtp = "smtp://localhost";
    int retries = 3;
    std::optional<double> ratio;
};

// Goal: a flag wins over the environment, the environment over the default.
TEST(Settings, FlagBeforeEnvironmentBeforeDefault) {
    ::setenv("FLOTILLA_RETRIES", "7", 1);
    ::setenv("FLOTILLA_SMTP", "smtp://environment", 1);
    Sample sample;
    std::set<std::string, std::less<>> known;
    read_settings_into(descriptor_of<Sample>, &sample, {{"smtp", "smtp://flag"}}, known);
    ::unsetenv("FLOTILLA_RETRIES");
    ::unsetenv("FLOTILLA_SMTP");
    EXPECT_EQ(sample.smtp, "smtp://flag");
    EXPECT_EQ(sample.retries, 7);
    EXPECT_FALSE(sample.ratio);
    EXPECT_EQ(known, (std::set<std::string, std::less<>>{"ratio", "retries", "smtp"}));
}

// Goal: a bad value is named with its source and what was expected.
TEST(Settings, BadValueIsNamed) {
    Sample sample;
    std::set<std::string, std::less<>> known;
    try {
        read_settings_into(descriptor_of<Sample>, &sample, {{"retries", "many"}}, known);
        FAIL();
    } catch (const std::runtime_error& refused) {
        EXPECT_TRUE(std::string(refused.what()).starts_with("--set retries=many: expected")) << refused.what();
    }
}

// Goal: a setting that nothing reads is an error that names the nearest.
TEST(Settings, UnknownNameIsRefused) {
    auto checked = check_settings({{"smpt", "x"}}, {"smtp", "retries"});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().message(), "--set smpt: there is no such setting; did you mean smtp?");
}

} // namespace
} // namespace flotilla
