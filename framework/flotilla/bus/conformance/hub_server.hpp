#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <flotilla/aio/test_process.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/bus/conformance/test_support.hpp>

namespace flotilla::bus_testing {

/// What the hub writes into ports.json.
struct HubPorts {
    std::uint16_t http = 0, redis = 0, smtp = 0;
};

/// A flotilla-hub process with its data in a temporary folder. For tests only.
class HubServer {
public:
    /// The binary: FLOTILLA_HUB_BINARY, or flotilla-hub beside the running test.
    static std::string binary() {
        if (const char* named = std::getenv("FLOTILLA_HUB_BINARY")) return named;
        return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "flotilla-hub";
    }
    static bool present() { return std::filesystem::exists(binary()); }

    HubServer() { start(0); }

    std::string url() const { return "redis://127.0.0.1:" + std::to_string(redis_port_); }
    void restart() {
        process_->stop(SIGKILL);
        start(redis_port_);
    }
    void wipe() {
        process_->stop(SIGKILL);
        std::filesystem::remove_all(data());
        start(redis_port_);
    }

private:
    std::filesystem::path data() const { return folder_.path() / "hub"; }
    void start(std::uint16_t redis_port) {
        process_.emplace(std::vector<std::string>{binary(), "--data", data().string(), "--http-port", "0",
                                                  "--redis-port", std::to_string(redis_port), "--smtp-port", "0"},
                         "registry loaded");
        std::ifstream file(data() / "ports.json");
        const std::string text(std::istreambuf_iterator<char>(file), {});
        redis_port_ = want(json::parse<HubPorts>(text)).redis;
    }

    TemporaryFolder folder_;
    std::uint16_t redis_port_ = 0;
    std::optional<ServerProcess> process_;
};

} // namespace flotilla::bus_testing
