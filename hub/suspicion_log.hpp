#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/aio/world.hpp>
#include <flotilla/observe/log.hpp>

namespace flotilla::hub {

/// Warnings of what looks like an attack through somebody's browser: one a minute at most, with how many were left out
/// since, for a page can repeat itself as often as it likes. Thread-safety: none; belongs to its loop.
class SuspicionLog {
public:
    SuspicionLog(World& world, Logger logger) : world_(world), logger_(std::move(logger)) {}

    void warn(std::string_view what, std::vector<LogField> fields) {
        const Instant now = world_.monotonic();
        if (now < silent_until_) {
            ++left_out_;
            return;
        }
        silent_until_ = now + std::chrono::minutes(1);
        if (left_out_ > 0) fields.emplace_back("leftOut", std::exchange(left_out_, 0));
        logger_.write(LogLevel::warning, nullptr, what, std::span(fields));
    }

private:
    World& world_;
    Logger logger_;
    Instant silent_until_ = Instant::min();
    std::int64_t left_out_ = 0;
};

} // namespace flotilla::hub
