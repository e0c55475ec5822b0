#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <flotilla/node/options.hpp>

namespace flotilla {

/// What to say of the arguments that a command with allow_extras() does not know:
/// "unknown argument '--prot'; did you mean '--port'?" Requires: there are some.
std::string unknown_argument(const CLI::App& command);

/// The flags of a program; each can also be given as an environment variable, which counts less than the flag.
class Flags {
public:
    static constexpr int kWrongFlags = 2; ///< exit code

    /// program: its name, for messages. about: a sentence for --help. variables: what its variables' names begin with.
    Flags(std::string program, const std::string& about, std::string variables = "FLOTILLA_");

    /// Adds "--name", which is also <variables>NAME. `value` holds the default. Use what is returned to bound it.
    template <class T>
    CLI::Option* add(const std::string& name, T& value, const std::string& help) {
        return with_variable(app_.add_option(name, value, help)->capture_default_str());
    }
    /// A time, given as a number of `unit`. Bound it: what is returned reads a number.
    CLI::Option* add(const std::string& name, Duration& value, Duration unit, const std::string& help);
    /// One of several values, each given by its name.
    template <class T>
    CLI::Option* add(const std::string& name, T& value, const std::map<std::string, T>& names,
                     const std::string& help) {
        auto* option = app_.add_option(name, value, help)->type_name("NAME");
        for (const auto& [text, meaning] : names) {
            if (meaning == value) option->default_str(text);
        }
        // Without the list of names and numbers that CLI11 would put into --help.
        return with_variable(option->transform(CLI::CheckedTransformer(names).description("")));
    }
    /// Without a value, and without a variable: what is asked for this time only.
    void add_switch(const std::string& name, bool& value, const std::string& help);

    /// Reads arguments and variables. A value: the program ends with this exit code, since help was asked for (0) or
    /// something is wrong (kWrongFlags), which has been told, with the nearest valid name.
    std::optional<int> parse(int argc, const char* const* argv);
    /// The variables that stand for flags.
    std::set<std::string, std::less<>> variables() const;

private:
    CLI::Option* with_variable(CLI::Option* option);
    std::string source_of(std::string_view mistake, int argc, const char* const* argv) const;

    CLI::App app_;
    std::string variables_;
};

/// The flags that every program has: --host --data --drain --log-level --log-format.
void add_program_flags(Flags& flags, NodeOptions& options);

/// The flags of a program that is found by its one port in a registry: --port --registry --loops.
void add_member_flags(Flags& flags, NodeOptions& options);

} // namespace flotilla
