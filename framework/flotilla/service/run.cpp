#include <flotilla/service/run.hpp>

#include <cstdio>

#include <flotilla/aio/loop.hpp>
#include <flotilla/node/flags.hpp>
#include <flotilla/node/lanes.hpp>
#include <flotilla/service/service_node.hpp>
#include <flotilla/service/settings.hpp>

namespace flotilla {
namespace {

/// What was given of lists whose members are read later.
struct Given {
    std::vector<std::string> settings, targets;
    bool check_upgrade = false;
};

void add_flags(Flags& flags, HostOptions& options, Given& given) {
    using std::chrono::milliseconds;
    using std::chrono::seconds;
    add_program_flags(flags, options.node);
    add_member_flags(flags, options.node);
    flags.add("--unix-socket", options.node.unix_socket, "Unix socket to listen on as well");
    flags.add("--instance", options.node.instance, "Instance id; default <service>-<port>");
    flags.add("--database", options.database, "Database URL; default sqlite:<data>/<service>.db");
    flags.add("--bus", options.bus, "Event bus URL");
    flags
        .add("--body-bytes-max", options.body_bytes_max,
             "Bytes of a request body, where the endpoint declares no limit")
        .within(std::int64_t{1}, std::int64_t{1} << 40);
    flags.add("--access-log-sample", options.access_log_sample, "Log one of this many successful requests")
        .within(1, 1'000'000);
    flags
        .add("--slow-request", options.slow_request, milliseconds(1),
             "Milliseconds from which on a request is logged with where its time went; 0: none is")
        .within(0.0, 3'600'000.0);
    flags
        .add("--lag-max", options.lag_max, seconds(1),
             "Seconds that events and jobs may wait before /readyz says that they do")
        .within(0.001, 1e9);
    flags.add("--target", given.targets, kTargetFlagHelp).separated_by(kTargetSeparator);
    flags.add_switch("--check-upgrade", given.check_upgrade,
                     "Say what of the database this program could not go on with (./flotilla saga check), and end");
    flags.add("--set", given.settings, "A setting of the service: name=value").variable(""); // each has one of its own
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

/// The exit code: 0, there is nothing in the way; 1, there is, by line on stdout; 2, nobody can tell.
int check_upgrade(Process& process, const HostOptions& options, Install install) {
    Loop loop;
    Context context(loop.world());
    const auto faults =
        loop.run_until_done(ServiceNode::check_upgrade(context, loop.world(), process, options, install));
    if (!faults) {
        std::fprintf(stderr, "%s\n", faults.error().message().c_str());
        return 2;
    }
    for (const auto& fault : *faults)
        std::printf("%s\n", fault.c_str());
    return faults->empty() ? 0 : 1;
}

task<Result<std::unique_ptr<Runnable>>> prepare(Context& context, World& world, Process& process, HostOptions options,
                                                Install install, Lane lane) {
    co_return co_await must(ServiceNode::prepare(context, world, process, std::move(options), install, lane));
}

} // namespace

int run(const Service& service, Install install, int argc, char** argv) {
    HostOptions options{.node = {.service = std::string(service.name)}};
    Given given;
    Flags flags(options.node.service, options.node.service +
                                          ", a Flotilla service. A setting of its own can also be set as " +
                                          std::string(kSettingPrefix) + "<NAME>.");
    add_flags(flags, options, given);
    options.flag_variables = flags.variables();
    options.flag_variables.insert("FLOTILLA_HOME"); // the script's, which every child inherits
    if (const auto ended = flags.parse(argc, argv)) return *ended;
    auto taken = take_settings(given.settings, options);
    if (taken) taken = options.targets.set_all(given.targets, "--target");
    if (!taken) {
        std::fprintf(stderr, "%s\n", taken.error().message().c_str());
        return Flags::kWrongFlags;
    }
    Process process(Logger(options.node.service, options.node.log_level, options.node.log_format));
    if (given.check_upgrade) {
        try {
            return check_upgrade(process, options, install);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            return 2;
        }
    }
    return run_lanes(process, options.node, [&](Context& context, World& world, NodeOptions node, Lane lane) {
        HostOptions its = options;
        its.node = std::move(node);
        return prepare(context, world, process, std::move(its), install, lane);
    });
}

} // namespace flotilla
