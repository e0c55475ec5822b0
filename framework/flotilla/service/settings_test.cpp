#include <flotilla/service/settings.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <stdexcept>

#include <flotilla/service/host.hpp>
#include <flotilla/service/run.hpp>

namespace flotilla::settings_test {
namespace {

struct Sample {
    std::string smtp = "smtp://localhost";
    int retries = 3;
    std::optional<double> ratio;
};

/// Variables of the environment, while it lives.
class Environment {
public:
    explicit Environment(std::map<std::string, std::string> variables) : variables_(std::move(variables)) {
        for (const auto& [name, value] : variables_)
            ::setenv(name.c_str(), value.c_str(), 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() {
        for (const auto& [name, value] : variables_)
            ::unsetenv(name.c_str());
    }

private:
    std::map<std::string, std::string> variables_;
};

/// What is wrong with the environment; "" when nothing is.
template <class Settings>
std::string read_from_environment(Settings& settings, const std::set<std::string, std::less<>>& flag_variables = {}) {
    std::set<std::string, std::less<>> known;
    try {
        read_settings_into(descriptor_of<Settings>, &settings, {}, flag_variables, known);
    } catch (const std::runtime_error& refused) {
        return refused.what();
    }
    return "";
}

// Goal: a flag wins over the environment, the environment over the default.
TEST(Settings, FlagBeforeEnvironmentBeforeDefault) {
    const Environment environment({{"FLOTILLA_SET_RETRIES", "7"}, {"FLOTILLA_SET_SMTP", "smtp://environment"}});
    Sample sample;
    std::set<std::string, std::less<>> known;
    read_settings_into(descriptor_of<Sample>, &sample, {{"smtp", "smtp://flag"}}, {}, known);
    EXPECT_EQ(sample.smtp, "smtp://flag");
    EXPECT_EQ(sample.retries, 7);
    EXPECT_FALSE(sample.ratio);
    EXPECT_EQ(known, (std::set<std::string, std::less<>>{"ratio", "retries", "smtp"}));
}

struct Named {
    int port = 7;
};
Named seen;
void read_named(Host& host) {
    seen = host.settings<Named>();
    throw std::runtime_error("the test has seen enough");
}

// Goal: a setting that is called as a flag is has a variable of its own: FLOTILLA_PORT is the framework's.
TEST(Settings, SettingNamedLikeAFlagKeepsItsValue) {
    const Environment environment(
        {{"FLOTILLA_PORT", "0"}, {"FLOTILLA_REGISTRY", "none"}, {"FLOTILLA_DATA", testing::TempDir()}});
    std::string program = "test", level = "--log-format=json";
    std::array<char*, 2> arguments{program.data(), level.data()};
    const auto start = [&] {
        testing::internal::CaptureStdout();
        EXPECT_EQ(run({"test-service"}, read_named, 2, arguments.data()), 1);
        return testing::internal::GetCapturedStdout();
    };
    EXPECT_TRUE(start().contains("the test has seen enough"));
    EXPECT_EQ(seen.port, 7);
    const Environment own({{"FLOTILLA_SET_PORT", "9"}});
    start();
    EXPECT_EQ(seen.port, 9);
}

// Goal: a variable without the prefix is refused with the name to use, rather than left unread; beside that name, or
// where it is a flag's, it does no harm.
TEST(Settings, VariableWithoutThePrefixIsRefused) {
    const Environment former({{"FLOTILLA_SMTP", "smtp://former"}});
    Sample sample;
    EXPECT_EQ(read_from_environment(sample), "FLOTILLA_SMTP is set and nothing reads it: the setting 'smtp' is "
                                             "FLOTILLA_SET_SMTP in the environment");
    EXPECT_EQ(read_from_environment(sample, {"FLOTILLA_SMTP"}), "");
    EXPECT_EQ(sample.smtp, "smtp://localhost");
    const Environment both({{"FLOTILLA_SET_SMTP", "smtp://own"}});
    EXPECT_EQ(read_from_environment(sample), "");
    EXPECT_EQ(sample.smtp, "smtp://own");
}

// Goal: a bad value in the environment is named with its variable.
TEST(Settings, BadVariableIsNamed) {
    const Environment environment({{"FLOTILLA_SET_RETRIES", "many"}});
    Sample sample;
    EXPECT_TRUE(read_from_environment(sample).starts_with("FLOTILLA_SET_RETRIES=many: expected"));
}

// Goal: a bad value is named with its source and what was expected.
TEST(Settings, BadValueIsNamed) {
    Sample sample;
    std::set<std::string, std::less<>> known;
    try {
        read_settings_into(descriptor_of<Sample>, &sample, {{"retries", "many"}}, {}, known);
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
} // namespace flotilla::settings_test
