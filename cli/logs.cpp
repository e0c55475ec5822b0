#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/base/nearest_name.hpp>

#include "cli/chaos_order.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_choice.hpp"
#include "cli/fleet_state.hpp"
#include "cli/log_line.hpp"
#include "cli/terminal.hpp"

namespace flotilla::cli {
namespace {

/// The log files of a data folder by member, whether the fleet runs or not.
std::map<std::string, std::string> log_files(const DataFolder& folder) {
    std::map<std::string, std::string> files;
    if (!std::filesystem::exists(folder.root + "/logs")) return files;
    for (const auto& entry : std::filesystem::directory_iterator(folder.root + "/logs")) {
        if (entry.path().extension() == ".log") files[entry.path().stem().string()] = entry.path().string();
    }
    return files;
}

/// Pretty on a terminal; otherwise the line as it is, behind its member.
void print_line(const LogLine& line, std::size_t width) {
    const auto text = coloured() ? pretty(line) : padded(line.member, width) + "  " + line.text;
    std::printf("%s\n", text.c_str());
}

/// Reads on from where the last look ended; starts again when the file was rotated.
class Follower {
public:
    explicit Follower(std::string file) : file_(std::move(file)), offset_(size()) {}

    template <class Print>
    void look(Print print) {
        const auto now = size();
        if (now < offset_) offset_ = 0;
        if (now == offset_) return;
        std::ifstream input(file_);
        input.seekg(static_cast<std::streamoff>(offset_));
        for (std::string line; std::getline(input, line) && !input.eof();) {
            offset_ += line.size() + 1;
            print(line);
        }
    }

private:
    std::uintmax_t size() const {
        std::error_code missing;
        const auto bytes = std::filesystem::file_size(file_, missing);
        return missing ? 0 : bytes;
    }
    std::string file_;
    std::uintmax_t offset_;
};

task<Result<void>> follow(Context& context, std::map<std::string, Follower> followers, std::size_t width) {
    while (true) {
        for (auto& [member, follower] : followers) {
            follower.look([&](std::string& line) { print_line(read_log_line(member, std::move(line)), width); });
        }
        std::fflush(stdout);
        co_await must(sleep_for(context, std::chrono::milliseconds(100)));
    }
}

} // namespace

int logs(const LogsOptions& options) {
    const auto folder = data_folder(options.fleet.data);
    if (auto meant = find_fleet(options.fleet, folder); !meant && meant.error().kind() == Kind::conflict) {
        std::fprintf(stderr, "%s\n", meant.error().message().c_str());
        return 1;
    } // the logs are there whatever is wrong with the state
    auto files = log_files(folder);
    if (!options.service.empty()) {
        std::set<std::string, std::less<>> names;
        for (const auto& [member, file] : files)
            names.insert(member);
        std::map<std::string, std::string> wanted;
        for (const auto& [member, file] : files) {
            if (member == options.service || service_of(member) == options.service) wanted[member] = file;
        }
        if (wanted.empty()) {
            const auto near = nearest_name(options.service, names);
            std::fprintf(stderr, "There is no log of '%s' in %s/logs%s\n", options.service.c_str(), folder.root.c_str(),
                         near.empty() ? "" : ("; did you mean " + near + "?").c_str());
            return 1;
        }
        files = std::move(wanted);
    }
    if (files.empty()) {
        std::fprintf(stderr, "There are no logs in %s/logs; no fleet has run there.\n", folder.root.c_str());
        return 1;
    }
    std::size_t width = 0;
    std::map<std::string, Follower> followers; // from here on: a line written meanwhile comes late rather than never
    std::vector<std::vector<LogLine>> lines;
    for (const auto& [member, file] : files) {
        width = std::max(width, member.size());
        followers.emplace(member, Follower(file));
        auto& last = lines.emplace_back();
        for (auto& line : last_lines(file, static_cast<std::size_t>(options.lines)))
            last.push_back(read_log_line(member, std::move(line)));
    }
    for (const auto& line : merge(std::move(lines)))
        print_line(line, width);
    if (!options.follow) return 0;
    Loop loop;
    Context context(loop.world());
    auto ended = loop.run_until_done(follow(context, std::move(followers), width));
    return ended ? 0 : 1;
}

} // namespace flotilla::cli
