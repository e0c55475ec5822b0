#include <flotilla/service/run.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include <CLI/CLI.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/process_limits.hpp>
#include <flotilla/aio/scope.hpp>

namespace flotilla {
namespace {

/// One loop of the process with its own host.
struct Lane {
    Loop loop;
    std::unique_ptr<Context> stop;
    std::unique_ptr<Host> host;
    std::thread thread;
    int exit_code = 0;

    Lane(Process& process, const HostOptions& options, Install install, bool primary) {
        stop = std::make_unique<Context>(loop.world());
        host = std::make_unique<Host>(loop.world(), process, options, primary);
        install(*host);
    }
    ~Lane() {
        if (thread.joinable()) { // an exception is on its way
            request_stop();
            thread.join();
        }
        host.reset();
        stop.reset();
    }
    void request_stop() {
        loop.world().post([this] { stop->cancel(Error(Kind::cancelled, "asked to stop")); });
    }
};

/// Flags whose value is not what HostOptions holds.
struct Given {
    std::vector<std::string> settings;
    double drain_seconds;
    double slow_request_ms;
    double lag_max_seconds;
};

void add_flags(CLI::App& app, HostOptions& options, Given& given) {
    options.flag_variables = {"FLOTILLA_LOG_LEVEL", "FLOTILLA_LOG_FORMAT"};
    const auto flag = [&](const char* name, auto& value, const char* help) {
        std::string variable = "FLOTILLA_";
        for (const char c : std::string_view(name).substr(2)) {
            variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        }
        options.flag_variables.insert(variable);
        return app.add_option(name, value, help)->envname(variable)->capture_default_str();
    };
    flag("--host", options.host, "Address to listen on and to announce");
    flag("--port", options.port, "Port; 0 picks a free one");
    flag("--unix-socket", options.unix_socket, "Unix socket to listen on as well");
    flag("--data", options.data, "Folder for the database and what is worth remembering");
    flag("--database", options.database, "Database URL; default sqlite:<data>/<service>.db");
    flag("--registry", options.registry, "Registry URL, or none");
    flag("--bus", options.bus, "Event bus URL");
    flag("--instance", options.instance, "Instance id; default <service>-<port>");
    flag("--loops", options.loops, "Event loops (threads)")->check(CLI::Range(1, 256));
    flag("--body-bytes-max", options.body_bytes_max, "Bytes of a request body, where the endpoint declares no limit")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
    flag("--drain", given.drain_seconds, "Seconds a shutdown waits for requests in flight")
        ->check(CLI::Range(0.0, 3600.0));
    flag("--access-log-sample", options.access_log_sample, "Log one of this many successful requests")
        ->check(CLI::Range(1, 1'000'000));
    flag("--slow-request", given.slow_request_ms,
         "Milliseconds from which on a request is logged with where its time went; 0: none is")
        ->check(CLI::Range(0.0, 3'600'000.0));
    flag("--lag-max", given.lag_max_seconds, "Seconds that events and jobs may wait before /readyz says that they do")
        ->check(CLI::Range(0.001, 1e9));
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->envname("FLOTILLA_LOG_LEVEL")
        ->transform(CLI::CheckedTransformer(std::map<std::string, LogLevel>{{"debug", LogLevel::debug},
                                                                            {"info", LogLevel::info},
                                                                            {"warning", LogLevel::warning},
                                                                            {"error", LogLevel::error}}));
    app.add_option("--log-format", options.log_format, "auto, json or pretty")
        ->envname("FLOTILLA_LOG_FORMAT")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Logger::Format>{
            {"auto", Logger::Format::automatic}, {"json", Logger::Format::json}, {"pretty", Logger::Format::pretty}}));
    app.add_option("--set", given.settings, "A setting of the service: name=value")->take_all();
}

Result<void> take_settings(const std::vector<std::string>& given, HostOptions& options) {
    for (const auto& setting : given) {
        const auto equals = setting.find('=');
        if (equals == std::string::npos || equals == 0) {
            return Error(Kind::invalid, "--set " + setting + ": write it as name=value");
        }
        options.settings[setting.substr(0, equals)] = setting.substr(equals + 1);
    }
    return {};
}

void serve(Lane& lane, const Logger& log) {
    try {
        auto served = lane.loop.run_until_done(lane.host->run(*lane.stop));
        if (served) return;
        log.error("could not serve", {{"error", served.error().message()}});
    } catch (const std::exception& bug) {
        log.error("the service ended with a bug", {{"what", bug.what()}});
    }
    lane.exit_code = 1;
}

/// Everything that can keep a loop from serving happens here, before the first of them serves.
Result<void> add_lane(std::vector<std::unique_ptr<Lane>>& lanes, Process& process, const HostOptions& options,
                      Install install) {
    auto& lane = *lanes.emplace_back(std::make_unique<Lane>(process, options, install, lanes.empty()));
    return lane.loop.run_until_done(lane.host->prepare(*lane.stop));
}

int serve_all(std::vector<std::unique_ptr<Lane>>& lanes, Process& process) {
    Lane& primary = *lanes.front();
    // The primary loop withdraws from the registry; until then the others go on.
    primary.loop.on_signals({SIGTERM, SIGINT}, [&primary](int) { primary.request_stop(); });
    const auto stop_others = [&lanes] {
        for (std::size_t i = 1; i < lanes.size(); ++i)
            lanes[i]->request_stop();
    };
    primary.host->on_withdrawn(stop_others);
    for (std::size_t i = 1; i < lanes.size(); ++i) {
        lanes[i]->thread = std::thread([&lane = *lanes[i], &primary, &process] {
            serve(lane, process.log);
            primary.request_stop(); // one loop less than asked for would go unnoticed
        });
    }
    serve(primary, process.log);
    stop_others();
    int exit_code = primary.exit_code;
    for (std::size_t i = 1; i < lanes.size(); ++i) {
        lanes[i]->thread.join();
        exit_code = std::max(exit_code, lanes[i]->exit_code);
    }
    return exit_code;
}

int run_lanes(Process& process, HostOptions options, Install install) {
    std::filesystem::create_directories(options.data);
    std::vector<std::unique_ptr<Lane>> lanes;
    do {
        if (auto prepared = add_lane(lanes, process, options, install); !prepared) {
            process.log.error("could not start", {{"error", prepared.error().message()}});
            return 1;
        }
        options.port = lanes.front()->host->address().port; // 0 was the first loop's to choose
    } while (lanes.size() < options.loops);
    return serve_all(lanes, process);
}

} // namespace

int run(const Service& service, Install install, int argc, char** argv) {
    prepare_server_process();
    HostOptions options{.service = std::string(service.name)};
    Given given{.settings = {},
                .drain_seconds = std::chrono::duration<double>(options.drain).count(),
                .slow_request_ms = std::chrono::duration<double, std::milli>(options.slow_request).count(),
                .lag_max_seconds = std::chrono::duration<double>(options.lag_max).count()};
    CLI::App app(std::string(service.name) + ", a Flotilla service. Every flag can also be set as FLOTILLA_<NAME>,\n"
                                             "a setting of the service as FLOTILLA_SET_<NAME>.");
    add_flags(app, options, given);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    options.drain = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(given.drain_seconds));
    options.slow_request =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(given.slow_request_ms));
    options.lag_max = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(given.lag_max_seconds));
    if (auto taken = take_settings(given.settings, options); !taken) {
        std::fprintf(stderr, "%s\n", taken.error().message().c_str());
        return 2;
    }
    const Logger log(options.service, options.log_level, options.log_format);
    Process process(log);
    try {
        return run_lanes(process, options, install);
    } catch (const std::exception& error) {
        log.error("could not start", {{"error", error.what()}});
        return 1;
    }
}

} // namespace flotilla
