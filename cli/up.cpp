#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>

#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_databases.hpp"
#include "cli/fleet_lock.hpp"
#include "cli/fleet_report.hpp"
#include "cli/log_line.hpp"
#include "cli/supervisor.hpp"
#include "cli/terminal.hpp"

namespace flotilla::cli {
namespace {

Result<std::vector<PlannedMember>> read_plan(const UpOptions& up, const DataFolder& folder, FleetState& state) {
    const auto& options = up.fleet;
    auto file = read_fleet_file(options.file);
    if (!file) return std::move(file.error());
    state.fleet = file->name;
    state.file = file->path;
    return plan_fleet(*file, folder, options.port_offset, options.binary_folder, up.chaos);
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
}

/// What to do next, below the table.
void print_welcome(const FleetReport& report, const FleetOptions& options) {
    std::fputs(describe(report, command_hint(options, "up")).c_str(), stdout);
    const auto file = read_fleet_file(options.file);
    if (!file) return; // changed meanwhile; the next command will tell
    const auto url = [&](int port) { return "http://127.0.0.1:" + std::to_string(port + options.port_offset); };
    std::string command = file->try_it;
    replace_all(command, "{gateway}", url(file->gateway_port));
    while (command.ends_with('\n'))
        command.pop_back();
    if (const auto plan = plan_fleet(*file, data_folder(options.data), options.port_offset, options.binary_folder)) {
        if (const auto note = socket_note(*plan, data_folder(options.data)); !note.empty())
            std::printf("  Note: %s.\n\n", note.c_str());
    }
    std::vector<Row> rows;
    if (!command.empty()) rows.push_back({{{"Try", bold()}, {command}}});
    rows.push_back({{{"Mails", bold()}, {url(file->hub_http) + "/mail/messages"}}});
    rows.push_back({{{"Logs", bold()}, {command_hint(options, "logs -f")}}});
    rows.push_back({{{"Stop", bold()}, {command_hint(options, "down")}}});
    std::fputs((aligned(rows) + "\n").c_str(), stdout);
}

/// What a supervisor in the foreground tells goes to its stdout and, as JSON, to <data>/logs/fleet.log.
Result<Logger> foreground_log(const DataFolder& folder) {
    const auto path = folder.log_file("fleet");
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (file < 0) return Error(Kind::unavailable, "cannot write " + path + ": " + std::strerror(errno));
    const std::shared_ptr<const int> owned(new int(file), [](const int* number) {
        close(*number);
        delete number;
    });
    const bool terminal = isatty(STDOUT_FILENO) == 1;
    return Logger("fleet", LogLevel::info, Logger::Format::json, [owned, terminal](std::string_view line) {
        (void)!write(*owned, line.data(), line.size()); // a full disk must not end the fleet
        while (line.ends_with('\n'))
            line.remove_suffix(1);
        const auto shown = terminal ? pretty(read_log_line("fleet", std::string(line))) : std::string(line);
        std::printf("%s\n", shown.c_str());
        std::fflush(stdout);
    });
}

/// As nohup leaves SIGHUP to what it starts.
bool is_ignored(int signal) {
    struct sigaction action{};
    return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

enum class Mode : unsigned char { foreground, detached };

/// The supervisor's life, in the foreground or detached. `told` hears once that the fleet stands, or why not.
/// SIGUSR1 asks it to take what has changed. SIGHUP does, too, when it is detached; in the foreground it means that the
/// terminal has gone, and stops the fleet like Ctrl-C (not under nohup).
class Supervision {
public:
    Supervision(Mode mode, const UpOptions& options, DataFolder folder, Logger log,
                std::function<void(const Result<FleetReport>&)> told)
        : mode_(mode), options_(options), folder_(std::move(folder)), log_(std::move(log)), told_(std::move(told)) {}

    int run() {
        FleetState state;
        auto earlier = read_state(folder_);
        if (!earlier) return fail(earlier.error());
        if (*earlier) state = std::move(**earlier);
        state.supervisor = *identify(getpid());
        state.port_offset = options_.fleet.port_offset;
        state.chaos = options_.chaos;
        auto plan = read_plan(options_, folder_, state);
        if (!plan) return fail(plan.error());
        Loop loop;
        Context stop(loop.world());
        Event reload;
        loop.on_signals({SIGTERM, SIGINT}, [&](int) { stop.cancel(Error(Kind::cancelled, "asked to stop")); });
        loop.on_signals({SIGUSR1}, [&](int) { reload.notify(); });
        if (mode_ == Mode::detached) {
            loop.on_signals({SIGHUP}, [&](int) { reload.notify(); });
        } else if (!is_ignored(SIGHUP)) {
            loop.on_signals({SIGHUP}, [&](int) { stop.cancel(Error(Kind::cancelled, "the terminal has gone")); });
        }
        Supervisor supervisor(loop.world(), folder_, std::move(state), log_);
        return loop.run_until_done(supervise(loop.world(), stop, reload, supervisor, std::move(*plan)));
    }

private:
    int fail(const Error& error) {
        told_(error);
        return 1;
    }

    task<int> supervise(World& world, Context& stop, Event& reload, Supervisor& supervisor,
                        std::vector<PlannedMember> plan) {
        log_.info("starting", {{"file", supervisor.state().file}, {"pid", supervisor.state().supervisor.pid}});
        auto started = co_await supervisor.start(stop, std::move(plan));
        Context root(world);
        if (!started && stop.cancelled()) {
            co_await supervisor.stop(root);
            co_return 0;
        }
        if (!started) {
            auto why = started.error().message();
            log_.error("the fleet did not start", {{"error", why.substr(0, why.find('\n'))}});
            if (co_await supervisor.give_up(root)) {
                why += "\nWhat ran before still runs, and nobody watches over it: `" +
                       command_hint(options_.fleet, "up --detach") + "` takes it over, `" +
                       command_hint(options_.fleet, "down") + "` stops it.";
            }
            co_return fail(Error(started.error().kind(), why));
        }
        log_.info("every member is ready", {{"members", supervisor.state().members.size()}});
        Scope watching(root);
        watching.spawn(supervisor.watch(watching.context()));
        // Whoever called a detached supervisor asks for a settled report itself.
        const bool detached = mode_ == Mode::detached;
        auto report = co_await (detached ? report_fleet : report_settled_fleet)(stop, folder_, supervisor.state());
        if (report || detached || !stop.cancelled()) told_(report);
        while (co_await reload.wait(stop)) {
            FleetState names;
            auto fresh = read_plan(options_, folder_, names);
            Result<void> applied;
            if (fresh)
                applied = co_await supervisor.apply(stop, std::move(*fresh));
            else
                applied = std::move(fresh.error());
            supervisor.note_reload(applied);
        }
        log_.info("stopping");
        watching.cancel(Error(Kind::cancelled, "stopping"));
        co_await watching.join();
        co_await supervisor.stop(root);
        for (const auto& database : unfinished_databases(folder_))
            log_.warning("a database was not closed: its -wal belongs to it", {{"file", database}});
        co_return 0;
    }

    Mode mode_;
    UpOptions options_;
    DataFolder folder_;
    Logger log_;
    std::function<void(const Result<FleetReport>&)> told_;
};

Result<FleetReport> ask_fleet(const DataFolder& folder, const FleetState& state) {
    Loop loop;
    Context context(loop.world());
    return loop.run_until_done(report_settled_fleet(context, folder, state));
}

int up_in_foreground(const UpOptions& options, const DataFolder& folder) {
    auto log = foreground_log(folder);
    if (!log) {
        std::fprintf(stderr, "%s\n", log.error().message().c_str());
        return 1;
    }
    std::printf("Starting the fleet of %s ...\n", options.fleet.file.c_str());
    std::fflush(stdout);
    Supervision supervision(Mode::foreground, options, folder, *log, [&](const Result<FleetReport>& outcome) {
        if (!outcome) {
            std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
            return;
        }
        print_welcome(*outcome, options.fleet);
        std::printf("  Ctrl-C stops everything.\n\n");
        std::fflush(stdout);
    });
    return supervision.run();
}

/// In the daemon: leaves the terminal; its log is <data>/logs/fleet.log.
void leave_terminal(const DataFolder& folder) {
    setsid();
    const int null = open("/dev/null", O_RDONLY);
    const int log = open(folder.log_file("fleet").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(null);
    close(log);
}

int supervise_detached(const UpOptions& options, const DataFolder& folder, int report) {
    FleetLock lock(folder);
    const auto tell = [report](std::string_view text) {
        (void)!write(report, text.data(), text.size());
        close(report);
    };
    if (auto taken = lock.take(); !taken) {
        tell(taken.error().message());
        return 1;
    }
    leave_terminal(folder);
    Supervision supervision(Mode::detached, options, folder, Logger("fleet"), [&](const Result<FleetReport>& outcome) {
        tell(outcome ? std::string("ready") : outcome.error().message());
    });
    return supervision.run();
}

int print_state(const FleetOptions& options, const DataFolder& folder) {
    auto state = read_state(folder);
    if (!state || !*state) {
        std::fprintf(stderr, "The fleet has ended again; see %s\n", folder.log_file("fleet").c_str());
        return 1;
    }
    auto report = ask_fleet(folder, **state);
    if (!report) {
        std::fprintf(stderr, "%s\n", report.error().message().c_str());
        return 1;
    }
    print_welcome(*report, options);
    return all_serving(*report) ? 0 : 1;
}

int up_detached(const UpOptions& options, const DataFolder& folder) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        std::fprintf(stderr, "cannot make a pipe: %s\n", std::strerror(errno));
        return 1;
    }
    const pid_t child = fork();
    if (child == 0) {
        close(report[0]);
        // A second fork: the supervisor belongs to init, not to whoever called us.
        if (fork() != 0) _exit(0);
        _exit(supervise_detached(options, folder, report[1]));
    }
    close(report[1]);
    waitpid(child, nullptr, 0);
    std::string outcome;
    std::array<char, 4096> buffer;
    for (ssize_t size; (size = read(report[0], buffer.data(), buffer.size())) > 0;)
        outcome.append(buffer.data(), static_cast<std::size_t>(size));
    close(report[0]);
    if (outcome == "ready") return print_state(options.fleet, folder);
    std::fprintf(stderr, "%s\n",
                 outcome.empty() ? ("the supervisor died; see " + folder.log_file("fleet")).c_str() : outcome.c_str());
    return 1;
}

/// Waits until the supervisor has taken the changed plan; why it could not, if so.
task<Result<void>> wait_reloaded(Context& context, DataFolder folder, FleetState before) {
    while (true) {
        co_await must(sleep_for(context, std::chrono::milliseconds(20)));
        auto now = co_await must(read_state(folder));
        if (!now || !is_alive(before.supervisor)) co_return Error(Kind::unavailable, "the fleet has ended meanwhile");
        if (now->reloads.value_or(0) <= before.reloads.value_or(0)) continue;
        if (now->reload_error) co_return Error(Kind::invalid, *now->reload_error);
        co_return Result<void>();
    }
}

/// The fleet runs already: its supervisor restarts what was rebuilt or changed in flotilla.yaml.
int refresh(const UpOptions& up, const DataFolder& folder, const FleetState& state) {
    const auto& options = up.fleet;
    auto meant = options; // what the flags leave out, `up` takes to be the default
    meant.file_given = meant.port_offset_given = true;
    if (auto same = check_choice(meant, folder, state); !same) {
        std::fprintf(stderr, "%s; stop it first (%s), or choose another --data.\n", same.error().message().c_str(),
                     command_hint(options, "down").c_str());
        return 1;
    }
    if (up.chaos && !state.chaos.value_or(false)) {
        std::fprintf(stderr, "The fleet on %s was started without --chaos; stop it first (%s).\n", folder.root.c_str(),
                     command_hint(options, "down").c_str());
        return 1;
    }
    if (!may_signal(state.supervisor)) {
        std::fprintf(stderr, "The fleet on %s belongs to another user; only that user or root can refresh it.\n",
                     folder.root.c_str());
        return 1;
    }
    std::printf("The fleet runs already; restarting what has changed ...\n");
    std::fflush(stdout);
    send_signal(state.supervisor, SIGUSR1);
    Loop loop;
    Context root(loop.world());
    Context bounded(root, Duration(std::chrono::seconds(90)));
    auto refreshed = loop.run_until_done(wait_reloaded(bounded, folder, state));
    if (!refreshed) std::fprintf(stderr, "%s\n", refreshed.error().message().c_str());
    return std::max(print_state(options, folder), refreshed ? 0 : 1);
}

} // namespace

int up(const UpOptions& options) {
    // Whoever reads what `up` prints may go away: its supervisor stays. The other commands end with their reader.
    signal(SIGPIPE, SIG_IGN);
    const auto folder = data_folder(options.fleet.data);
    create_folders(folder);
    auto state = read_state(folder);
    if (!state) {
        std::fprintf(stderr, "%s\n", state.error().message().c_str());
        return 1;
    }
    if (*state && is_alive((*state)->supervisor)) {
        if (options.detach) return refresh(options, folder, **state);
        std::fprintf(stderr, "The fleet on %s runs already (supervisor %lld). `%s` refreshes it, `%s` stops it.\n",
                     folder.root.c_str(), static_cast<long long>((*state)->supervisor.pid),
                     command_hint(options.fleet, "up --detach").c_str(), command_hint(options.fleet, "down").c_str());
        return 1;
    }
    if (options.detach) return up_detached(options, folder);
    FleetLock lock(folder);
    if (auto taken = lock.take(); !taken) {
        std::fprintf(stderr, "%s\n", taken.error().message().c_str());
        return 1;
    }
    return up_in_foreground(options, folder);
}

} // namespace flotilla::cli
