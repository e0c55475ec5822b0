#pragma once

#include <span>

#include <flotilla/base/result.hpp>

#include "hub/consul/due_times.hpp"
#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

inline constexpr std::string_view kNodeName = "flotilla";
inline constexpr std::string_view kNodeAddress = "127.0.0.1";
inline constexpr std::string_view kDatacenter = "dc1";

/// The services and checks of one node, with Consul's rules: pure logic, no I/O, no clock. Every operation that
/// depends on time takes `now`; tick() does what has become due. Names of services and nodes are found whatever their
/// (ASCII) case, as in Consul; ids and keys are not. Thread-safety: none.
class RegistryState {
public:
    using Services = std::map<std::string, RegisteredService, std::less<>>;
    using Checks = std::map<std::string, RegisteredCheck, std::less<>>;

    RegistryState(Index& index, ChangeLog& changes) : index_(index), changes_(changes) {}
    RegistryState(const RegistryState&) = delete;
    RegistryState& operator=(const RegistryState&) = delete;

    /// Registers, or replaces, a service and its checks. A check that exists keeps its status, as in Consul.
    /// `replace_checks`: the service's checks that are not listed go.
    void register_service(ServiceDefinition service, std::vector<CheckDefinition> checks, bool replace_checks,
                          Instant now);
    /// False when it is unknown. Its checks go with it.
    bool deregister_service(std::string_view id);
    /// Errors: not_found when the check's service is unknown.
    Result<void> register_check(CheckDefinition check, Instant now);
    bool deregister_check(std::string_view id);

    /// A report for a TTL check. Errors: not_found (unknown), conflict (not a TTL check).
    Result<void> report_ttl(std::string_view id, CheckStatus status, std::string output, Instant now);

    /// A probe that is due; answer it with report_probe().
    struct Probe {
        CheckDefinition check;
        std::uint64_t generation;
    };
    /// Applies expired TTLs and critical deregistrations; returns the probes to start now.
    std::vector<Probe> tick(Instant now);
    /// The status follows once it was seen often enough in a row (SuccessBeforePassing, FailuresBefore...).
    void report_probe(const Probe& probe, CheckStatus status, std::string output, Instant now);
    /// When tick() has something to do next.
    Instant next_due() const;

    const Services& services() const { return services_; }
    const Checks& checks() const { return checks_; }
    const RegisteredService* service(std::string_view id) const;
    const RegisteredCheck* check(std::string_view id) const;
    /// The instances of a name, whatever its case, in order of id.
    std::vector<const RegisteredService*> services_named(std::string_view name) const;
    /// The checks that count for an instance: the node's, then its own.
    std::vector<const RegisteredCheck*> checks_of(std::string_view service_id) const;

    /// What a blocking query for this name compares with: the last change of its instances and checks, or, without
    /// instances, the last time a name vanished.
    std::uint64_t index_of_service(std::string_view name) const;
    /// The last change of services, of checks, of either.
    std::uint64_t services_index() const { return services_index_; }
    std::uint64_t checks_index() const { return checks_index_; }
    std::uint64_t node_index() const { return node_index_; }

    /// Another node's instances of a name, or their checks, have changed; `left`: it has some still.
    void note_instances_elsewhere(const std::string& name, std::uint64_t at, bool left);
    /// A node, service or check of another node has changed.
    void note_change_elsewhere(Table table, std::uint64_t at);

    /// Checks that turned critical or went since the last call: sessions bound to them end.
    std::vector<std::string> take_failed_checks() { return std::exchange(failed_checks_, {}); }

    /// What outlives a restart besides services and checks.
    struct Meta {
        std::uint64_t services_index = 1, checks_index = 1, node_index = 1, extinction_index = 1;
        std::map<std::string, std::uint64_t, std::less<>> service_indexes;
    };
    Meta meta() const;
    /// Puts back what was stored. TTLs start anew, so that nothing expires because the registry was away.
    void restore(Meta meta, std::vector<RegisteredService> services, std::vector<RegisteredCheck> checks, Instant now);

private:
    void add_check(CheckDefinition definition, Instant now);
    void remove_check(Checks::iterator at);
    void schedule(RegisteredCheck& check, Instant now);
    /// To be called after whatever moves its turn.
    void plan(RegisteredCheck& check);
    /// The ids of the checks of a service, or of the node (""), in order.
    std::vector<std::string> check_ids_of(std::string_view service_id) const;
    /// Returns whether it was a change.
    bool set_status(RegisteredCheck& check, CheckStatus status, std::string output, Instant now);
    void touch_service(const std::string& service_name, std::uint64_t at);
    void touch_check(const RegisteredCheck& check, std::uint64_t at);

    Index& index_;
    ChangeLog& changes_;
    using Ids = std::map<std::string, std::set<std::string>, std::less<>>;

    Services services_;
    Checks checks_;
    Ids services_by_name_;  ///< by folded name
    Ids checks_by_service_; ///< by the service's id; "": the node's
    DueTimes due_;
    std::map<std::string, std::uint64_t, std::less<>> service_indexes_; ///< by folded name
    std::uint64_t services_index_ = 1, checks_index_ = 1, node_index_ = 1, extinction_index_ = 1;
    std::uint64_t generations_ = 0;
    std::vector<std::string> failed_checks_;
};

} // namespace flotilla::hub::consul
