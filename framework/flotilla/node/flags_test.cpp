#include <flotilla/node/flags.hpp>

#include <cstdlib>

#include <gtest/gtest.h>

namespace flotilla::flags_test {
namespace {

using namespace std::chrono_literals;

/// A variable that is set as long as this lives.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    ~Variable() { ::unsetenv(name_); }

private:
    const char* name_;
};

struct Parsed {
    std::optional<int> code;
    NodeOptions options;
    std::string told; ///< on stderr
};

Parsed parse(std::vector<const char*> arguments, std::string variables = "FLOTILLA_FLAGS_TEST_") {
    Parsed parsed{.code = {}, .options = {.service = "quote-service"}, .told = {}};
    Flags flags("quote-service", "A service.", std::move(variables));
    add_program_flags(flags, parsed.options);
    add_member_flags(flags, parsed.options);
    arguments.insert(arguments.begin(), "./quote-service");
    testing::internal::CaptureStderr();
    parsed.code = flags.parse(static_cast<int>(arguments.size()), arguments.data());
    parsed.told = testing::internal::GetCapturedStderr();
    return parsed;
}

// Goal: what is given is taken, and what is not given stays.
TEST(Flags, ValuesAreTaken) {
    const auto parsed = parse({"--port", "3010", "--drain", "0.25", "--log-level", "warning", "--log-format=json"});
    EXPECT_EQ(parsed.code, std::nullopt) << parsed.told;
    EXPECT_EQ(parsed.options.port, 3010);
    EXPECT_EQ(parsed.options.drain, 250ms);
    EXPECT_EQ(parsed.options.log_level, LogLevel::warning);
    EXPECT_EQ(parsed.options.log_format, Logger::Format::json);
    EXPECT_EQ(parsed.options.host, "127.0.0.1");
    EXPECT_EQ(parsed.told, "");
}

// Goal: each flag has its variable, with the program's prefix and no other, and the flag counts more.
TEST(Flags, VariablesStandForFlags) {
    const Variable port("FLOTILLA_FLAGS_TEST_PORT", "3011"), level("FLOTILLA_FLAGS_TEST_LOG_LEVEL", "error");
    const Variable other("FLOTILLA_OTHER_FLAGS_TEST_HOST", "0.0.0.0");
    const auto parsed = parse({"--log-level", "debug"});
    EXPECT_EQ(parsed.options.port, 3011);
    EXPECT_EQ(parsed.options.log_level, LogLevel::debug);
    EXPECT_EQ(parsed.options.host, "127.0.0.1");
    EXPECT_EQ(parse({}, "FLOTILLA_OTHER_FLAGS_TEST_").options.port, 0);
}

// Goal: what an instance announces of itself can be given: its zone, its share, and several words.
TEST(Flags, RegistrationIsGiven) {
    const auto parsed = parse({"--zone", "eu-1a", "--weight", "2.5", "--tag", "canary,blue", "--tag", "large"});
    EXPECT_EQ(parsed.options.zone, "eu-1a");
    EXPECT_EQ(parsed.options.weight, 2.5);
    EXPECT_EQ(parsed.options.tags, (std::vector<std::string>{"canary", "blue", "large"}));
}

// Goal: a wrong argument ends with 2 and is told in one line, with the flag that was probably meant.
TEST(Flags, UnknownArgumentIsNamedWithTheNearest) {
    for (const char* given : {"--prot", "--prot=5"}) {
        const auto parsed = parse({"--host", "::1", given, "5"});
        EXPECT_EQ(parsed.code, 2);
        EXPECT_EQ(parsed.told, "quote-service: unknown argument '--prot'; did you mean '--port'? (see --help)\n");
    }
    EXPECT_EQ(parse({"quickly"}).told, "quote-service: unknown argument 'quickly' (see --help)\n");
}

// Goal: a value out of bounds ends with 2, and names the variable when it came from there.
TEST(Flags, WrongValueIsToldWithItsSource) {
    const auto flag = parse({"--drain", "5000"});
    EXPECT_EQ(flag.code, 2);
    EXPECT_TRUE(flag.told.starts_with("--drain: Value 5000 not in range")) << flag.told;
    EXPECT_EQ(parse({"--drain", "nan"}).code, 2);
    EXPECT_EQ(parse({"--loops", "0"}).code, 2);
    EXPECT_EQ(parse({"--weight", "nan"}).code, 2);
    EXPECT_EQ(parse({"--weight", "0"}).code, 2);
    EXPECT_EQ(parse({"--port", "70000"}).code, 2);
    EXPECT_EQ(parse({"--log-level", "loud"}).code, 2);

    const Variable loops("FLOTILLA_FLAGS_TEST_LOOPS", "many");
    const auto variable = parse({});
    EXPECT_EQ(variable.code, 2);
    EXPECT_TRUE(variable.told.starts_with("quote-service: FLOTILLA_FLAGS_TEST_LOOPS=many:\n")) << variable.told;
    EXPECT_EQ(parse({"--loops", "2"}).options.loops, 2U);
}

// Goal: --help ends with 0 and names flag, default and variable.
TEST(Flags, HelpNamesVariables) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(parse({"--help"}).code, 0);
    const auto help = testing::internal::GetCapturedStdout();
    for (const char* text : {"--drain NUMBER", "=10 (Env:FLOTILLA_FLAGS_TEST_DRAIN)", "--host TEXT=127.0.0.1",
                             "--log-level NAME=info", "FLOTILLA_FLAGS_TEST_<NAME>"})
        EXPECT_NE(help.find(text), std::string::npos) << text << " in\n" << help;
}

} // namespace
} // namespace flotilla::flags_test
