#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <flotilla/base/nearest_name.hpp>

#include "cli/commands.hpp"
#include "cli/fleet_plan.hpp"

namespace flotilla::cli {
namespace {

/// Runs a program to its end, with our output. Returns its exit code.
Result<int> run(const Command& command) {
    std::vector<std::string> words{command.binary};
    words.insert(words.end(), command.arguments.begin(), command.arguments.end());
    std::vector<std::string> variables;
    for (char** each = environ; *each != nullptr; ++each)
        variables.emplace_back(*each);
    for (const auto& [name, text] : command.environment)
        variables.push_back(name + "=" + text);
    const auto pointers = [](std::vector<std::string>& texts) {
        std::vector<char*> all;
        for (auto& text : texts)
            all.push_back(text.data());
        all.push_back(nullptr);
        return all;
    };
    pid_t child = 0;
    const int failed = ::posix_spawn(&child, command.binary.c_str(), nullptr, nullptr, pointers(words).data(),
                                     pointers(variables).data());
    if (failed != 0) return Error(Kind::unavailable, command.binary + ": " + std::strerror(failed));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return Error(Kind::unavailable, std::string("waitpid: ") + std::strerror(errno));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

} // namespace

int saga_check(const SagaCheckOptions& options) {
    const auto refuse = [](const Error& error, int code) {
        std::fprintf(stderr, "saga check: %s\n", error.message().c_str());
        return code;
    };
    if (options.words.size() != 2 || options.words.front() != "check")
        return refuse(Error(Kind::invalid, "write it as ./flotilla saga check SERVICE"), 2);
    const auto& service = options.words.back();
    const auto file = read_fleet_file(options.fleet.file);
    if (!file) return refuse(file.error(), 2);
    const auto plan =
        plan_fleet(*file, data_folder(options.fleet.data), options.fleet.port_offset, options.fleet.binary_folder);
    if (!plan) return refuse(plan.error(), 2);
    const auto member = std::ranges::find_if(
        *plan, [&](const PlannedMember& each) { return each.name.substr(0, each.name.find('.')) == service; });
    if (member == plan->end() || service == "hub" || service == "gateway") {
        std::vector<std::string> names;
        for (const auto& each : file->services)
            names.push_back(each.name);
        return refuse(Error(Kind::invalid, "there is no service '" + service + "'" + did_you_mean(service, names)), 2);
    }
    auto command = member->command;
    command.arguments.emplace_back("--check-upgrade");
    const auto code = run(command);
    if (!code) return refuse(code.error(), 2);
    if (*code == 0) std::printf("%s as it is built can finish every saga that is under way.\n", service.c_str());
    if (*code == 1) {
        std::fprintf(stderr,
                     "saga check: %s as it is built cannot finish these: keep the old version of the definition "
                     "until they have ended\n",
                     service.c_str());
    }
    return *code;
}

} // namespace flotilla::cli
