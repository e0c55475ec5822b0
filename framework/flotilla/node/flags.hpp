#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/node/options.hpp>

namespace CLI { // costs ten seconds to compile, so only flags.cpp includes it
class App;
class Option;
} // namespace CLI

namespace flotilla {

/// What to say of the arguments that a command with allow_extras() does not know:
/// "unknown argument '--prot'; did you mean '--port'?" Requires: there are some.
std::string unknown_argument(const CLI::App& command);

/// A flag that was added, to say more of it. Lives as long as its Flags.
class Flag {
public:
    explicit Flag(CLI::Option* option) : option_(option) {}

    /// A number outside is refused.
    Flag& within(std::int64_t min, std::int64_t max);
    Flag& within(int min, int max) { return within(std::int64_t{min}, std::int64_t{max}); }
    Flag& within(double min, double max);
    /// Its variable is called otherwise, or (empty) there is none.
    Flag& variable(const std::string& name);
    /// Of a list: one value may hold several, separated by this. Without it the flag is repeated.
    Flag& separated_by(char separator);

private:
    CLI::Option* option_;
};

/// The flags of a program; each can also be given as an environment variable, which counts less than the flag.
class Flags {
public:
    static constexpr int kWrongFlags = 2; ///< exit code

    /// program: its name, for messages. about: a sentence for --help. variables: what its variables' names begin with.
    Flags(std::string program, const std::string& about, std::string variables = "FLOTILLA_");
    ~Flags();

    /// Adds "--name", which is also <variables>NAME. `value` holds the default.
    Flag add(const std::string& name, std::string& value, const std::string& help);
    Flag add(const std::string& name, int& value, const std::string& help);
    Flag add(const std::string& name, std::uint16_t& value, const std::string& help);
    Flag add(const std::string& name, std::uint64_t& value, const std::string& help);
    Flag add(const std::string& name, std::vector<std::string>& values, const std::string& help);
    /// A time, given as a number of `unit`. Bound it.
    Flag add(const std::string& name, Duration& value, Duration unit, const std::string& help);
    Flag add(const std::string& name, double& value, const std::string& help);
    /// One of several values, each given by its name.
    template <class T>
    Flag add(const std::string& name, T& value, const std::map<std::string, T>& names, const std::string& help) {
        std::vector<std::string> known;
        std::string now;
        for (const auto& [text, meaning] : names) {
            known.push_back(text);
            if (meaning == value) now = text;
        }
        return add_choice(name, now, known, [&value, names](const std::string& text) { value = names.at(text); }, help);
    }
    /// Without a value, and without a variable: what is asked for this time only.
    void add_switch(const std::string& name, bool& value, const std::string& help);

    /// Reads arguments and variables. A value: the program ends with this exit code, since help was asked for (0) or
    /// something is wrong (kWrongFlags), which has been told, with the nearest valid name.
    std::optional<int> parse(int argc, const char* const* argv);
    /// The variables that stand for flags.
    std::set<std::string, std::less<>> variables() const;

private:
    template <class T>
    Flag add_value(const std::string& name, T& value, const std::string& help);
    Flag add_choice(const std::string& name, const std::string& now, const std::vector<std::string>& names,
                    std::function<void(const std::string&)> take, const std::string& help);
    Flag with_variable(CLI::Option* option);
    Flag add_number(const std::string& name, double now, std::function<void(double)> take, const std::string& help);
    std::string source_of(std::string_view mistake, int argc, const char* const* argv) const;

    std::unique_ptr<CLI::App> app_;
    std::string variables_;
};

/// The flags that every program has: --host --data --drain --log-level --log-format.
void add_program_flags(Flags& flags, NodeOptions& options);

/// The flags of a program that is found by its one port in a registry: --port --registry --zone --weight --tag --loops
/// --shed-after --faults.
void add_member_flags(Flags& flags, NodeOptions& options);

} // namespace flotilla
