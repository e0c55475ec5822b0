#include <flotilla/node/flags.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/environment_name.hpp>
#include <flotilla/base/nearest_name.hpp>

namespace flotilla {
namespace {

/// Whether a text has a flag's name in it, and not that of another that begins with it.
bool names(std::string_view text, std::string_view flag) {
    for (auto at = text.find(flag); at != text.npos; at = text.find(flag, at + 1)) {
        const auto rest = text.substr(at + flag.size());
        if (rest.empty() || (!is_ascii_lower(rest.front()) && rest.front() != '-')) return true;
    }
    return false;
}

} // namespace

std::string unknown_argument(const CLI::App& command) {
    const auto given = command.remaining();
    // A misspelt flag leaves its value behind as well, and brings it along as in "--prot=5".
    const auto flag = std::ranges::find_if(given, [](const std::string& text) { return text.starts_with('-'); });
    auto unknown = flag == given.end() ? given.front() : *flag;
    unknown = unknown.substr(0, unknown.find('='));
    std::vector<std::string> names;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames())
            names.push_back("--" + name);
    }
    return "unknown argument '" + unknown + "'" + did_you_mean(unknown, names);
}

Flag& Flag::within(std::int64_t min, std::int64_t max) {
    option_->check(CLI::Range(min, max));
    return *this;
}

Flag& Flag::within(double min, double max) {
    option_->check(CLI::Range(min, max));
    return *this;
}

Flag& Flag::variable(const std::string& name) {
    option_->envname(name);
    return *this;
}

Flag& Flag::separated_by(char separator) {
    option_->delimiter(separator);
    return *this;
}

Flags::Flags(std::string program, const std::string& about, std::string variables)
    : app_(std::make_unique<CLI::App>(about + " Every flag can also be set as " + variables + "<NAME>.",
                                      std::move(program))),
      variables_(std::move(variables)) {
    app_->allow_extras(); // refused below, in words of our own
}

Flags::~Flags() = default;

Flag Flags::with_variable(CLI::Option* option) {
    return Flag(option->envname(environment_name(variables_, option->get_lnames().front())));
}

template <class T>
Flag Flags::add_value(const std::string& name, T& value, const std::string& help) {
    return with_variable(app_->add_option(name, value, help)->capture_default_str());
}

Flag Flags::add(const std::string& name, std::string& value, const std::string& help) {
    return add_value(name, value, help);
}

Flag Flags::add(const std::string& name, int& value, const std::string& help) { return add_value(name, value, help); }

Flag Flags::add(const std::string& name, std::uint16_t& value, const std::string& help) {
    return add_value(name, value, help);
}

Flag Flags::add(const std::string& name, std::uint64_t& value, const std::string& help) {
    return add_value(name, value, help);
}

Flag Flags::add(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    return with_variable(app_->add_option(name, values, help)->take_all());
}

Flag Flags::add(const std::string& name, double& value, const std::string& help) {
    return add_number(name, value, [&value](double number) { value = number; }, help);
}

Flag Flags::add(const std::string& name, Duration& value, Duration unit, const std::string& help) {
    const double in_units = static_cast<double>(unit.count());
    const auto take = [&value, in_units](double number) {
        value = Duration(static_cast<Duration::rep>(number * in_units));
    };
    return add_number(name, static_cast<double>(value.count()) / in_units, take, help);
}

Flag Flags::add_number(const std::string& name, double now, std::function<void(double)> take, const std::string& help) {
    const auto take_finite = [take = std::move(take), name](double number) {
        if (!std::isfinite(number)) throw CLI::ValidationError(name, "must be a finite number"); // bounds let nan pass
        take(number);
    };
    auto* option = app_->add_option_function<double>(name, take_finite, help);
    return with_variable(option->default_str(fmt::format("{}", now))->type_name("NUMBER"));
}

Flag Flags::add_choice(const std::string& name, const std::string& now, const std::vector<std::string>& names,
                       std::function<void(const std::string&)> take, const std::string& help) {
    auto* option = app_->add_option_function<std::string>(name, std::move(take), help);
    // Without the list of names that CLI11 would put into --help.
    option->type_name("NAME")->default_str(now)->check(CLI::IsMember(names).description(""));
    return with_variable(option);
}

void Flags::add_switch(const std::string& name, bool& value, const std::string& help) {
    app_->add_flag(name, value, help);
}

std::optional<int> Flags::parse(int argc, const char* const* argv) {
    try {
        app_->parse(argc, argv);
    } catch (const CLI::ParseError& mistake) {
        const auto source = source_of(mistake.what(), argc, argv);
        if (!source.empty()) fmt::print(stderr, "{}: {}:\n", app_->get_name(), source);
        return app_->exit(mistake) == 0 ? 0 : kWrongFlags;
    }
    if (app_->remaining_size() == 0) return std::nullopt;
    fmt::print(stderr, "{}: {} (see --help)\n", app_->get_name(), unknown_argument(*app_));
    return kWrongFlags;
}

std::set<std::string, std::less<>> Flags::variables() const {
    std::set<std::string, std::less<>> names;
    for (const auto* option : app_->get_options())
        if (const auto name = option->get_envname(); !name.empty()) names.insert(name);
    return names;
}

/// The variable that a mistake is about, when that is not on the command line.
std::string Flags::source_of(std::string_view mistake, int argc, const char* const* argv) const {
    const std::vector<std::string_view> given(argv, argv + argc);
    for (const auto* option : app_->get_options()) {
        const auto name = "--" + option->get_lnames().front();
        const auto variable = option->get_envname();
        const auto is_it = [&](std::string_view argument) {
            return argument == name || argument.starts_with(name + "=");
        };
        if (variable.empty() || !names(mistake, name) || std::ranges::any_of(given, is_it)) continue;
        if (const char* value = std::getenv(variable.c_str())) return fmt::format("{}={}", variable, value);
    }
    return {};
}

void add_program_flags(Flags& flags, NodeOptions& options) {
    flags.add("--host", options.host, "Address to listen on and to announce");
    flags.add("--data", options.data, "Folder for what the program keeps");
    flags.add("--drain", options.drain, std::chrono::seconds(1), "Seconds a shutdown waits for requests in flight")
        .within(0.0, 3600.0);
    flags.add("--log-level", options.log_level,
              {{"debug", LogLevel::debug},
               {"info", LogLevel::info},
               {"warning", LogLevel::warning},
               {"error", LogLevel::error}},
              "debug, info, warning or error");
    flags.add("--log-format", options.log_format,
              {{"auto", Logger::Format::automatic}, {"json", Logger::Format::json}, {"pretty", Logger::Format::pretty}},
              "auto, json or pretty");
}

void add_member_flags(Flags& flags, NodeOptions& options) {
    flags.add("--port", options.port, "Port; 0 picks a free one");
    flags.add("--registry", options.registry, "Registry URL, or none");
    flags
        .add("--shed-after", options.shed_after, std::chrono::milliseconds(1),
             "Milliseconds requests wait for the loop before some are refused; 0: none are")
        .within(0.0, 10'000.0);
    flags.add("--zone", options.zone, "Where it runs, e.g. eu-west-1a; announced in the registry");
    flags.add("--weight", options.weight, "Its share of the calls beside other instances; announced in the registry")
        .within(0.01, 1000.0);
    flags
        .add("--tag", options.tags,
             "A free word, e.g. canary; announced in the registry; several flags, or several behind a ,")
        .separated_by(',');
    flags.add("--faults", options.faults, "File from which faults are taken (./flotilla chaos); default none");
    flags.add("--loops", options.loops, "Event loops (threads)").within(1, 256);
}

} // namespace flotilla
