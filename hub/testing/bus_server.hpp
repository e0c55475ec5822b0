#pragma once

#include <mutex>
#include <stdexcept>

#include "hub/redis/redis_thread.hpp"
#include "hub/testing/redis_client.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub {

/// The bus on a free port with its file in a temporary folder.
class BusServer {
public:
    explicit BusServer(KeyspaceLimits limits = {})
        : telemetry_(Logger("hub-test", LogLevel::warning, Logger::Format::json,
                            [this](std::string_view line) {
                                const std::lock_guard lock(log_mutex_);
                                log_ += line;
                            })),
          limits_(limits) {
        start();
    }
    RedisClient connect() const { return RedisClient(thread_->address().port); }
    std::uint16_t port() const { return thread_->address().port; }
    std::filesystem::path file() const { return folder_ / "bus.db"; }
    void restart() {
        thread_.reset();
        start();
    }
    void stop() { thread_->stop(); }
    Metrics& metrics() { return telemetry_.metrics; }
    /// The warnings and errors so far.
    std::string log() const {
        const std::lock_guard lock(log_mutex_);
        return log_;
    }

private:
    void start() {
        RedisThreadOptions options;
        options.address = Address::tcp("127.0.0.1", 0);
        options.file = folder_ / "bus.db";
        options.limits = limits_;
        auto started = RedisThread::start(options, telemetry_, [] {});
        if (!started) throw std::runtime_error(started.error().message());
        thread_ = std::move(*started);
    }
    TemporaryFolder folder_;
    mutable std::mutex log_mutex_;
    std::string log_;
    Telemetry telemetry_;
    KeyspaceLimits limits_;
    std::unique_ptr<RedisThread> thread_;
};

} // namespace flotilla::hub
