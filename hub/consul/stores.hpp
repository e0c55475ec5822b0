#pragma once

#include "hub/consul/external_nodes.hpp"
#include "hub/consul/registry_state.hpp"
#include "hub/consul/session_state.hpp"
#include "hub/consul/shapes.hpp"

namespace flotilla::hub::consul {

/// Everything the API answers from, under one index. Pure memory; the journal keeps it on disk.
struct Stores {
    Index index;
    ChangeLog changes;
    RegistryState registry{index, changes};
    ExternalNodes external{index, changes, registry};
    KvState kv{index, changes};
    SessionState sessions{index, changes, kv};
    Node node;

    /// Ends the sessions of checks that have failed, and does what has become due. Returns the probes to start now.
    std::vector<RegistryState::Probe> tick(Instant now) {
        auto probes = registry.tick(now);
        end_sessions_of_failed_checks(now);
        sessions.tick(now);
        return probes;
    }
    void end_sessions_of_failed_checks(Instant now) {
        for (const auto& check : registry.take_failed_checks())
            sessions.check_failed(check, now);
    }

    /// All changes until keep_transaction() or take_transaction_back() are one: they share an index, and are taken back
    /// together.
    void begin_transaction() {
        index.shared_from = index.current;
        changes.undo.begin();
        changes.undo.number(index.current);
        changes.undo.number(changes.version);
    }
    void keep_transaction() {
        index.shared_from.reset();
        changes.undo.keep();
    }
    void take_transaction_back() {
        index.shared_from.reset();
        changes.undo.take_back();
    }

    Instant next_due() const { return std::min(registry.next_due(), sessions.next_due()); }
};

} // namespace flotilla::hub::consul
