#include <cstdio>

#include <flotilla/aio/loop.hpp>
#include <flotilla/base/json.hpp>

#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_report.hpp"

namespace flotilla::cli {

int status(const FleetOptions& options, bool json) {
    const auto folder = data_folder(options.data);
    auto state = find_fleet(options, folder);
    if (!state) {
        std::fprintf(stderr, "%s\n", state.error().message().c_str());
        return 1;
    }
    if (!*state) {
        if (json) {
            std::printf("%s\n", json::write(FleetReport{.data = folder.root}).c_str());
        } else {
            std::printf("No fleet runs on %s. Start one with %s\n", folder.root.c_str(),
                        command_hint(options, "up").c_str());
        }
        return 1;
    }
    Loop loop;
    Context context(loop.world());
    auto report = loop.run_until_done(report_fleet(context, folder, **state));
    if (!report) {
        std::fprintf(stderr, "%s\n", report.error().message().c_str());
        return 1;
    }
    if (json) {
        std::printf("%s\n", json::write(*report).c_str());
    } else {
        std::fputs(describe(*report, command_hint(as_started(options, **state), "up")).c_str(), stdout);
    }
    return all_serving(*report) ? 0 : 1;
}

} // namespace flotilla::cli
