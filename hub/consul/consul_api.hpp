#pragma once

#include <memory>
#include <optional>
#include <string>

#include <flotilla/http/client.hpp>
#include <flotilla/http/exchange.hpp>
#include <flotilla/observe/log.hpp>

#include "hub/handled.hpp"

namespace flotilla::hub {

/// Consul's HTTP API over one agent's node and the external nodes of the catalogue: services with TTL, HTTP and TCP
/// checks, health and catalogue with blocking queries and filters, KV with CAS and locks, sessions, transactions. State
/// lives in `<data folder>/registry.db` and survives restarts; TTLs start anew then. What is served, taken and refused:
/// README.md in this folder. What is not understood is refused in words.
/// Thread-safety: none; lives on one loop. Source: https://developer.hashicorp.com/consul/api-docs
class ConsulApi {
public:
    ConsulApi(World& world, http::Client& http, std::string data_folder, Logger log);
    ConsulApi(const ConsulApi&) = delete;
    ConsulApi& operator=(const ConsulApi&) = delete;
    ~ConsulApi();

    /// Loads the state, then runs checks and commits until the context is cancelled. Blocking queries are then answered
    /// at once, so end this before the server drains.
    task<void> run(Context& context);
    /// Answers when the path is under /v1/; else nothing is done: nullopt. Before the state is loaded the answer is
    /// Consul's 500 "No cluster leader", which clients wait out.
    task<std::optional<Handled>> handle(Context& context, http::Exchange& exchange);
    /// ok, or why the registry cannot serve or store now. For /readyz.
    Result<void> health() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::hub
