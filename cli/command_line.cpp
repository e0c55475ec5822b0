#include "cli/command_line.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <flotilla/base/nearest_name.hpp>
#include <flotilla/node/flags.hpp>

#include "cli/chaos_order.hpp"
#include "cli/fleet_flags.hpp"

namespace flotilla::cli {
namespace {

/// What the script ./flotilla does itself, for suggestions.
constexpr const char* kScriptCommands[] = {"demo", "load", "build", "test", "bench", "help"};

/// The commands, their flags, and what becomes of the flags' values.
class CommandLine {
public:
    explicit CommandLine(FleetOptions fleet) : fleet_(std::move(fleet)) {
        app_.name("flotilla");
        app_.allow_extras(); // and answered in our own words
        app_.require_subcommand(0, 1);
        add_up();
        add_chaos();
        add("down", "Stop the fleet; its data stays", [this] { return down(fleet_); });
        add("status", "Show every process, its health and restarts", [this] {
            return status(fleet_, json_);
        }).add_flag("--json", json_, "As one JSON object");
        add_logs();
        add_sagas();
        add("backup", "Copy databases, bus and mails as they are at one moment",
            [this] { return backup({.fleet = fleet_, .folder = folder_}); })
            .add_option("folder", folder_, "New folder for the backup")
            ->required();
        add("restore", "Put a backup into a new data folder",
            [this] { return restore({.fleet = fleet_, .folder = folder_}); })
            .add_option("folder", folder_, "Folder of the backup")
            ->required();
    }

    int run(int argc, const char* const* argv) {
        try {
            app_.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            return app_.exit(error) == 0 ? 0 : 2;
        }
        const auto chosen = app_.get_subcommands();
        if (const auto unknown = app_.remaining(); !unknown.empty() || chosen.empty())
            return refuse(unknown.empty() ? app_.help() : unknown_command(unknown.front()));
        auto& command = *chosen.front();
        if (command.remaining_size() > 0)
            return refuse(command.get_name() + ": " + unknown_argument(command) + " (see ./flotilla help)");
        note_given(command, fleet_);
        return runs_.at(&command)();
    }

private:
    /// A command with the flags that choose a fleet. -f is not --file where it means something else.
    CLI::App& add(const char* name, const char* help, std::function<int()> run, const char* file_flag = "--file,-f") {
        auto& command = *app_.add_subcommand(name, help);
        command.allow_extras();
        add_fleet_flags(command, fleet_, file_flag);
        runs_[&command] = std::move(run);
        return command;
    }

    void add_up() {
        auto& command = add("up", "Start the fleet of flotilla.yaml; refresh it when it runs",
                            [this] { return up({.fleet = fleet_, .detach = detach_, .chaos = chaos_}); });
        command.add_flag("--detach,-d", detach_, "Return once every service is ready");
        command.add_flag("--chaos", chaos_, "Services take faults from ./flotilla chaos: slow, fail and cut");
    }

    void add_chaos() {
        add("chaos", "Break one instance and mend it: kill, stop, slow, fail, cut, heal", [this] {
            return chaos({.fleet = fleet_, .words = words_});
        }).add_option("words", words_, std::string(kChaosHelp));
    }

    void add_logs() {
        auto& command = add(
            "logs", "Show the logs",
            [this] {
                logs_.fleet = fleet_;
                return logs(logs_);
            },
            "--file");
        command.add_option("service", logs_.service, "Only this one");
        command.add_flag("-f,--follow", logs_.follow, "Go on as lines arrive");
        command.add_option("-n,--lines", logs_.lines, "Lines of each log")
            ->check(CLI::Range(0, 1'000'000))
            ->capture_default_str();
    }

    void add_sagas() {
        auto& command =
            add("sagas", "Show the sagas under way and what holds them up; show, retry, skip, abort them", [this] {
                sagas_.fleet = fleet_;
                sagas_.json = json_;
                return sagas(sagas_);
            });
        command.add_option("words", sagas_.words, "show ID, or retry|skip|abort ID...");
        command.add_flag("--parked", sagas_.parked, "Those that cannot go on by themselves");
        command.add_flag("--stuck", sagas_.stuck, "Those of which no step has ended for twice its timeout");
        command.add_option("--service", sagas_.service, "Only this service's");
        command.add_option("--saga", sagas_.saga, "Only those of this definition");
        command.add_option("--reason", sagas_.reason, "Why it is done, for the history");
        command.add_option("--limit", sagas_.limit, "Listed of each service")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        command.add_flag("--json", json_, "As one JSON object");
        add("saga", "Before an upgrade: which sagas could a service as it is built not finish? (saga check SERVICE)",
            [this] {
                saga_check_.fleet = fleet_;
                return saga_check(saga_check_);
            })
            .add_option("words", saga_check_.words, "check SERVICE");
    }

    std::string unknown_command(const std::string& given) const {
        std::vector<std::string> names(std::begin(kScriptCommands), std::end(kScriptCommands));
        for (const auto* command : app_.get_subcommands({}))
            names.push_back(command->get_name());
        const bool flag = given.starts_with('-');
        return (flag ? "unknown argument '" : "unknown command '") + given + "'" + did_you_mean(given, names) +
               " (see ./flotilla help)";
    }

    static int refuse(const std::string& why) {
        std::fprintf(stderr, "flotilla: %s\n", why.c_str());
        return 2;
    }

    CLI::App app_{"flotilla: runs a fleet of services.\n"
                  "(build, test and the first set-up are in the script ./flotilla; see ./flotilla help)"};
    std::map<const CLI::App*, std::function<int()>> runs_;
    FleetOptions fleet_;
    bool detach_ = false, chaos_ = false, json_ = false;
    std::vector<std::string> words_; // of chaos
    LogsOptions logs_;
    SagasOptions sagas_;
    SagaCheckOptions saga_check_;
    std::string folder_; // of a backup
};

} // namespace

FleetOptions default_fleet() {
    const char* home = std::getenv("FLOTILLA_HOME");
    const std::string prefix = home ? std::string(home) + "/" : std::string();
    return {.data = prefix + ".flotilla",
            .file = prefix + "flotilla.yaml",
            .binary_folder = std::filesystem::read_symlink("/proc/self/exe").parent_path().string()};
}

void add_fleet_flags(CLI::App& app, FleetOptions& fleet, const char* file_flag) {
    app.add_option("--data", fleet.data, "Folder for data, logs and state of the fleet")->capture_default_str();
    app.add_option(file_flag, fleet.file, "The fleet's description")->capture_default_str();
    app.add_option("--port-offset", fleet.port_offset, "Added to every port")->capture_default_str();
}

void note_given(const CLI::App& app, FleetOptions& fleet) {
    fleet.data_given = app.count("--data") > 0;
    fleet.file_given = app.count("--file") > 0;
    fleet.port_offset_given = app.count("--port-offset") > 0;
}

int run_command_line(int argc, const char* const* argv, FleetOptions fleet) {
    return CommandLine(std::move(fleet)).run(argc, argv);
}

} // namespace flotilla::cli
