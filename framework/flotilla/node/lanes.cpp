#include <flotilla/node/lanes.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <thread>
#include <vector>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/process_limits.hpp>
#include <flotilla/node/health.hpp>

namespace flotilla {
namespace {

constexpr int kCouldNotServe = 1;

/// A loop with its thread and what it runs.
class LaneThread {
public:
    LaneThread() = default;
    LaneThread(const LaneThread&) = delete;
    LaneThread& operator=(const LaneThread&) = delete;
    ~LaneThread() {
        if (!thread_.joinable()) return; // else an exception is on its way
        request_stop();
        thread_.join();
    }

    Result<void> prepare(const Prepare& make, const NodeOptions& options, Lane lane) {
        auto prepared = loop_.run_until_done(make(stop_, loop_.world(), options, lane));
        if (!prepared) return std::move(prepared.error());
        runs_ = std::move(*prepared);
        return {};
    }
    const Address& address() const { return runs_->address(); }
    /// From now on: starting may take long, too.
    void stop_on_signals() {
        loop_.on_signals({SIGTERM, SIGINT}, [this](int) { request_stop(); });
    }
    bool stopping() const { return stop_.cancelled(); }

    /// Runs on this thread to the end.
    void serve(const Logger& log, std::function<void()> withdrawn) {
        try {
            auto served = loop_.run_until_done(runs_->run(stop_, std::move(withdrawn)));
            if (served) return;
            log.error("could not serve", {{"error", served.error().message()}});
        } catch (const std::exception& bug) {
            log.error("ended with a bug", {{"what", bug.what()}});
        }
        exit_code_ = kCouldNotServe;
    }
    /// Runs on a thread of its own; `ended` is called there.
    void start(const Logger& log, std::function<void()> ended) {
        thread_ = std::thread([this, &log, ended = std::move(ended)] {
            serve(log, {});
            ended();
        });
    }
    /// Thread-safe.
    void request_stop() {
        loop_.world().post([this] { stop_.cancel(Error(Kind::cancelled, "asked to stop")); });
    }
    /// Waits for its end.
    int exit_code() {
        if (thread_.joinable()) thread_.join();
        return exit_code_;
    }

private:
    Loop loop_;
    Context stop_{loop_.world()};
    std::unique_ptr<Runnable> runs_;
    std::thread thread_;
    int exit_code_ = 0;
};

struct LaneThreads : std::vector<std::unique_ptr<LaneThread>> {
    LaneThreads() = default;
    LaneThreads(const LaneThreads&) = delete;
    LaneThreads& operator=(const LaneThreads&) = delete;
    ~LaneThreads() {
        while (!empty()) // the first goes last: the others tell it of their end
            pop_back();
    }
};

Result<void> prepare_all(LaneThreads& lanes, NodeOptions options, const Prepare& prepare, HealthBoard& health) {
    std::filesystem::create_directories(options.data);
    while (lanes.size() < options.loops) {
        const Lane lane{.number = lanes.size(), .health = options.loops > 1 ? &health : nullptr};
        lanes.push_back(std::make_unique<LaneThread>());
        if (lanes.size() == 1) lanes.front()->stop_on_signals();
        if (auto prepared = lanes.back()->prepare(prepare, options, lane); !prepared) return prepared;
        options.port = lanes.front()->address().port; // 0 was the first loop's to choose
    }
    return {};
}

int serve_all(LaneThreads& lanes, const Logger& log) {
    LaneThread& primary = *lanes.front();
    // One loop less than asked for would go unnoticed: any end is everybody's.
    for (std::size_t i = 1; i < lanes.size(); ++i)
        lanes[i]->start(log, [&primary] { primary.request_stop(); });
    const auto stop_others = [&lanes] {
        for (std::size_t i = 1; i < lanes.size(); ++i)
            lanes[i]->request_stop();
    };
    primary.serve(log, stop_others);
    stop_others();
    int exit_code = 0;
    for (const auto& lane : lanes)
        exit_code = std::max(exit_code, lane->exit_code());
    return exit_code;
}

} // namespace

int run_lanes(Telemetry& telemetry, NodeOptions options, const Prepare& prepare) {
    prepare_server_process();
    HealthBoard health;
    LaneThreads lanes;
    try {
        if (auto prepared = prepare_all(lanes, std::move(options), prepare, health); !prepared) {
            if (lanes.front()->stopping()) {
                telemetry.log.info("stopped while starting");
                return 0;
            }
            telemetry.log.error("cannot start", {{"error", prepared.error().message()}});
            return kCouldNotServe;
        }
        return serve_all(lanes, telemetry.log);
    } catch (const std::exception& bug) {
        telemetry.log.error("cannot start", {{"error", bug.what()}});
        return kCouldNotServe;
    }
}

} // namespace flotilla
