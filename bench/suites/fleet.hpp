#pragma once

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/harness/network_namespace.hpp"
#include "bench/suites/suites.hpp"

namespace flotilla::bench {

using MonotonicTime = std::chrono::steady_clock::time_point;

/// Somebody who calls, in the same way in all of its processes.
struct CallerKind {
    std::string name;                        ///< "stack"; its calls come in at /<name>/{id}
    std::vector<std::string> arguments = {}; ///< of bench-caller, beside those that all have
    std::string address = {};                ///< that it calls instead of the registry's instances
    std::optional<double> per_second = {};   ///< instead of the fleet's
};

/// What became of a call.
struct CallMade {
    MonotonicTime due;
    double ms = 0;       ///< since then
    std::string outcome; ///< "ok", or the error's code
    bool ok() const { return outcome == "ok"; }
};

/// Those that were due between.
std::vector<CallMade> between(std::vector<CallMade> calls, MonotonicTime begin, MonotonicTime end);
/// The part that succeeded, in %. Throws std::runtime_error when there is no call.
double success(const std::vector<CallMade>& calls);
/// Says on stderr how many calls ended how.
void note(std::string_view when, std::string_view kind, const std::vector<CallMade>& calls);

struct FleetSetup {
    int instances = 5;
    int callers = 3;         ///< processes of each kind
    double per_second = 100; ///< calls of each of those
    std::uint64_t seed = 1;
    bool chain = false;                      ///< the instances are the last of three hops: start_chain()
    std::vector<std::string> arguments = {}; ///< of every hop, beside those that all have
    NetworkNamespace* network = nullptr;     ///< if given, the first instance has an address of its own
};

/// A hub, instances of a service that register there, and those that call them: all processes of their own. What can
/// be done to them is here.
class Fleet {
public:
    static constexpr const char* kOwnAddress = "10.77.0.2"; ///< of the first instance in a network of its own

    /// Returns once all instances are registered.
    Fleet(const Setting& setting, std::filesystem::path folder, const FleetSetup& setup);
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;
    ~Fleet();

    /// An instance of one of the services of bench-hop, on a port of its own; returns once it listens.
    struct Instance {
        std::string id, host;
        std::uint16_t port = 0;
        std::filesystem::path fault_file;
        std::unique_ptr<ServerProcess> process;
    };
    Instance start_instance(const std::string& service, int number, const std::string& host = "127.0.0.1",
                            const std::vector<std::string>& more = {}, int core = kMeasuredCore);
    void await_registered(const std::string& service, std::size_t instances);
    /// The first of three hops. Requires: FleetSetup::chain.
    const Instance& front() const { return *front_; }

    /// Begins the calls of one kind.
    void call(const CallerKind& kind, const std::string& service = "last-hop");

    void kill(Instance& victim) { victim.process->signal(SIGKILL); }
    void stop(Instance& victim) { victim.process->signal(SIGSTOP); }
    void resume(Instance& victim) { victim.process->signal(SIGCONT); }
    void fail(const Instance& victim, int percent);
    void slow(const Instance& victim, int ms);
    void heal(const Instance& victim);
    /// Ends it, while it stays registered.
    void refuse(Instance& victim);
    void swallow();
    void end_hub();
    void start_hub();
    /// In the place of the hub: a server that answers everything with 200 and something that no registry says.
    void start_garbage();

    std::vector<Instance>& instances() { return instances_; }
    std::vector<std::string> addresses() const;
    /// Waits. Registrations of those who refuse are kept meanwhile.
    void pass(std::chrono::duration<double> time);

    /// Requests that an instance got from callers of a kind, whatever it answered.
    static double arrived(const Instance& instance, const std::string& kind);
    double cpu_us(const std::string& kind) const;
    double resident_mb(const std::string& kind) const;
    /// Ends the callers: all calls of each kind, in no order.
    std::vector<CallMade> calls_of(const std::string& kind);

private:
    void start_chain();
    struct Caller {
        std::string kind;
        std::unique_ptr<ServerProcess> process;
        bool ended = false;
    };

    const Setting& setting_;
    const std::filesystem::path folder_;
    const FleetSetup setup_;
    std::uint16_t hub_port_;
    std::unique_ptr<ServerProcess> hub_, garbage_;
    std::vector<Instance> instances_;
    std::optional<Instance> middle_, front_;
    std::vector<Caller> callers_;
    std::vector<std::string> kept_; ///< ids whose registration is kept from here
};

} // namespace flotilla::bench
