#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include <CLI/CLI.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/process_limits.hpp>

#include "gateway/core/gateway.hpp"

namespace {

using namespace flotilla;
using namespace flotilla::gateway;

constexpr int kCannotServe = 1;
constexpr int kWrongConfiguration = 2;

struct Settings {
    std::string config = "gateway.yaml";
    std::string registry = "consul://127.0.0.1:8500";
    std::string data = ".flotilla";
    std::size_t loops = 1;
    double drain_seconds = 10;
    LogLevel log_level = LogLevel::info;
    Logger::Format log_format = Logger::Format::automatic;
    bool check = false;
    GatewayOptions gateway;
};

void add_flags(CLI::App& app, Settings& settings) {
    const auto flag = [&app](const char* name, auto& value, const char* help, const char* variable) {
        return app.add_option(name, value, help)->envname(variable)->capture_default_str();
    };
    flag("--config", settings.config, "Routes and compositions", "FLOTILLA_CONFIG");
    flag("--host", settings.gateway.host, "Address to listen on and to announce", "FLOTILLA_HOST");
    flag("--port", settings.gateway.port, "Port; 0 picks a free one", "FLOTILLA_PORT");
    flag("--registry", settings.registry, "Registry URL", "FLOTILLA_REGISTRY");
    flag("--data", settings.data, "Folder for what is worth remembering", "FLOTILLA_DATA");
    flag("--loops", settings.loops, "Event loops (threads)", "FLOTILLA_LOOPS")->check(CLI::Range(1, 256));
    flag("--drain", settings.drain_seconds, "Seconds a shutdown waits for requests in flight", "FLOTILLA_DRAIN")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--log-level", settings.log_level, "debug, info, warning or error")
        ->envname("FLOTILLA_LOG_LEVEL")
        ->transform(CLI::CheckedTransformer(std::map<std::string, LogLevel>{{"debug", LogLevel::debug},
                                                                            {"info", LogLevel::info},
                                                                            {"warning", LogLevel::warning},
                                                                            {"error", LogLevel::error}}));
    app.add_option("--log-format", settings.log_format, "auto, json or pretty")
        ->envname("FLOTILLA_LOG_FORMAT")
        ->transform(CLI::CheckedTransformer(std::map<std::string, Logger::Format>{
            {"auto", Logger::Format::automatic}, {"json", Logger::Format::json}, {"pretty", Logger::Format::pretty}}));
    app.add_flag("--check", settings.check, "Only check the configuration");
}

/// One loop with its own gateway, client and registry.
struct Lane {
    Loop loop;
    Context stop{loop.world()};
    http::Client client{loop.world()};
    std::unique_ptr<Registry> registry;
    std::unique_ptr<Gateway> gateway;
    std::thread thread;
    bool failed = false;

    Result<void> prepare(const Settings& settings, const Config& config, std::shared_ptr<const RouteTable> routes,
                         Telemetry& telemetry) {
        auto opened =
            open_registry(loop.world(), client, telemetry.log,
                          {.url = settings.registry == "none" ? "static:" : settings.registry,
                           .fixed = {},
                           .cache_file = settings.gateway.primary ? settings.data + "/gateway.instances.json" : "",
                           .host = settings.gateway.host});
        if (!opened) return std::move(opened.error());
        registry = std::move(*opened);
        gateway = std::make_unique<Gateway>(loop.world(), config, std::move(routes), client, *registry, telemetry,
                                            settings.gateway);
        auto address = gateway->listen();
        if (!address) return std::move(address.error());
        return {};
    }
    void serve(const Logger& log) {
        try {
            loop.run_until_done(gateway->run(stop));
        } catch (const std::exception& bug) {
            log.error("the gateway ended with a bug", {{"what", bug.what()}});
            failed = true;
        }
    }
    void request_stop() {
        loop.world().post([this] { stop.cancel(Error(Kind::cancelled, "asked to stop")); });
    }
};

int serve(Settings settings, const Config& config, std::shared_ptr<const RouteTable> routes) {
    Telemetry telemetry(Logger("gateway", settings.log_level, settings.log_format));
    const auto& log = telemetry.log;
    std::filesystem::create_directories(settings.data);
    settings.gateway.reuse_port = settings.loops > 1;
    settings.gateway.upstreams.this_host = settings.gateway.host;
    std::vector<std::unique_ptr<Lane>> lanes;
    while (lanes.size() < settings.loops) {
        settings.gateway.primary = lanes.empty();
        settings.gateway.loop = lanes.size();
        lanes.push_back(std::make_unique<Lane>());
        if (auto ready = lanes.back()->prepare(settings, config, routes, telemetry); !ready) {
            log.error("could not start", {{"error", ready.error().message()}});
            return kCannotServe;
        }
    }
    auto& primary = *lanes.front();
    primary.loop.on_signals({SIGTERM, SIGINT}, [&lanes](int) {
        for (auto& lane : lanes)
            lane->request_stop();
    });
    for (std::size_t i = 1; i < lanes.size(); ++i) {
        lanes[i]->thread = std::thread([&lane = *lanes[i], &log] { lane.serve(log); });
    }
    primary.serve(log);
    bool failed = primary.failed;
    for (std::size_t i = 1; i < lanes.size(); ++i) {
        lanes[i]->request_stop();
        lanes[i]->thread.join();
        failed = failed || lanes[i]->failed;
    }
    return failed ? kCannotServe : 0;
}

} // namespace

int main(int argc, char** argv) {
    prepare_server_process();
    Settings settings;
    CLI::App app("Flotilla's gateway. Every flag can also be set as FLOTILLA_<NAME>.");
    add_flags(app, settings);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kWrongConfiguration;
    }
    // Each loop binds the port itself, so they need to be told which.
    if (settings.loops > 1 && settings.gateway.port == 0) {
        std::fputs("--loops above 1 needs a fixed --port\n", stderr);
        return kWrongConfiguration;
    }
    settings.gateway.drain =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(settings.drain_seconds));
    auto config = load_config(settings.config);
    auto routes = config ? RouteTable::build(*config) : Result<std::shared_ptr<const RouteTable>>(config.error());
    if (!routes) {
        std::fprintf(stderr, "%s\n", routes.error().message().c_str());
        return kWrongConfiguration;
    }
    if (settings.check) {
        std::printf("%s: %zu routes, no mistakes\n", settings.config.c_str(), (*routes)->targets().size());
        return 0;
    }
    return serve(std::move(settings), *config, std::move(*routes));
}
