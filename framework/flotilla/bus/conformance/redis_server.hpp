#pragma once

#include <csignal>
#include <filesystem>
#include <string>

#include <flotilla/aio/test_process.hpp>
#include <flotilla/bus/conformance/test_support.hpp>

namespace flotilla::bus_testing {

/// A real redis-server on a Unix socket in a temporary folder; what it acknowledged is on disk. For tests only.
class RedisServer {
public:
    static bool present() { return std::filesystem::exists(kBinary); }

    explicit RedisServer(std::vector<std::string> options = {})
        : process_(command(std::move(options)), "eady to accept connections") {}

    std::string url() const { return "redis+unix:" + socket(); }
    std::string socket() const { return (folder_.path() / "redis.sock").string(); }
    void restart() {
        process_.stop(SIGKILL);
        process_.start();
    }
    void wipe() {
        process_.stop(SIGKILL);
        std::filesystem::remove_all(folder_.path() / "appendonlydir");
        process_.start();
    }

private:
    static constexpr const char* kBinary = "/usr/bin/redis-server";

    std::vector<std::string> command(std::vector<std::string> options) const {
        std::vector<std::string> words{kBinary,
                                       "--port",
                                       "0",
                                       "--unixsocket",
                                       socket(),
                                       "--dir",
                                       folder_.path().string(),
                                       "--appendonly",
                                       "yes",
                                       "--appendfsync",
                                       "always",
                                       "--save",
                                       ""};
        words.insert(words.end(), options.begin(), options.end());
        return words;
    }

    TemporaryFolder folder_;
    ServerProcess process_;
};

} // namespace flotilla::bus_testing
