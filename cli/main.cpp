#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

using namespace flotilla::cli;

namespace {

void add_fleet_flags(CLI::App& command, FleetOptions& options) {
    command
        .add_option_function<std::string>(
            "--data",
            [&options](const std::string& folder) {
                options.data = folder;
                options.data_given = true;
            },
            "Folder for data, logs and state of the fleet")
        ->default_str(options.data);
}

void add_start_flags(CLI::App& command, FleetOptions& options) {
    command.add_option("--file,-f", options.file, "The fleet's description")->capture_default_str();
    command.add_option("--port-offset", options.port_offset, "Added to every port")->capture_default_str();
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("flotilla: runs a fleet of services.\n"
                 "(build, test and the first set-up are in the script ./flotilla; see ./flotilla help)");
    app.name("flotilla");
    app.require_subcommand(1);
    UpOptions up_options;
    FleetOptions down_options, status_options;
    LogsOptions logs_options;
    BackupOptions backup_options;
    RestoreOptions restore_options;
    bool json = false;
    // The script ./flotilla says where the project lies; without it everything is relative to here.
    const char* home = std::getenv("FLOTILLA_HOME");
    const std::string prefix = home ? std::string(home) + "/" : std::string();
    for (auto* fleet : {&up_options.fleet, &down_options, &status_options, &logs_options.fleet, &backup_options.fleet,
                        &restore_options.fleet}) {
        fleet->data = prefix + ".flotilla";
        fleet->file = prefix + "flotilla.yaml";
    }
    up_options.fleet.binary_folder = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();

    auto* up_command = app.add_subcommand("up", "Start the fleet of flotilla.yaml; refresh it when it runs");
    add_fleet_flags(*up_command, up_options.fleet);
    add_start_flags(*up_command, up_options.fleet);
    up_command->add_flag("--detach,-d", up_options.detach, "Return once every service is ready");
    auto* down_command = app.add_subcommand("down", "Stop the fleet; its data stays");
    add_fleet_flags(*down_command, down_options);
    auto* status_command = app.add_subcommand("status", "Show every process, its health and restarts");
    add_fleet_flags(*status_command, status_options);
    status_command->add_flag("--json", json, "As one JSON object");
    auto* logs_command = app.add_subcommand("logs", "Show the logs");
    add_fleet_flags(*logs_command, logs_options.fleet);
    logs_command->add_option("service", logs_options.service, "Only this one");
    logs_command->add_flag("-f,--follow", logs_options.follow, "Go on as lines arrive");
    logs_command->add_option("-n,--lines", logs_options.lines, "Lines of each log")
        ->check(CLI::Range(0, 1'000'000))
        ->capture_default_str();
    auto* backup_command = app.add_subcommand("backup", "Copy databases, bus and mails as they are at one moment");
    add_fleet_flags(*backup_command, backup_options.fleet);
    backup_command
        ->add_option("--file,-f", backup_options.fleet.file, "The fleet's description, of one that is stopped")
        ->capture_default_str();
    backup_command->add_option("folder", backup_options.folder, "New folder for the backup")->required();
    auto* restore_command = app.add_subcommand("restore", "Put a backup into a new data folder");
    add_fleet_flags(*restore_command, restore_options.fleet);
    restore_command->add_option("folder", restore_options.folder, "Folder of the backup")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        if (*up_command) {
            // Whoever reads what `up` prints may go away: its supervisor stays. The other commands end with their
            // reader.
            std::signal(SIGPIPE, SIG_IGN);
            return up(up_options);
        }
        if (*down_command) return down(down_options);
        if (*backup_command) return backup(backup_options);
        if (*restore_command) return restore(restore_options);
        if (*status_command) return status(status_options, json);
        return logs(logs_options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flotilla: %s\n", error.what());
        return 1;
    }
}
