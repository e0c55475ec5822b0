#pragma once

#include <memory>
#include <string>

#include <flotilla/saga/sagas.hpp>
#include <flotilla/service/host.hpp>

namespace flotilla::saga {

struct EngineOptions {
    std::size_t concurrency = 512;              ///< sagas whose command is under way at once
    Duration keep = std::chrono::hours(7 * 24); ///< how long one that has ended stays, with its history
};

/// The sagas of a service: one object per host, made while it is installed.
///
///     auto& engine = host.own<saga::Engine>(host, database, host.calls({payment::service, shipping::service}));
///     auto& checkouts = engine.sagas<Checkout>("checkout");
///     auto& orders = host.own<Orders>(database, checkouts);
///     checkouts.define(checkout).on_change(&Orders::follow, orders);
///
/// Adds to the host: the sagas' tables; their work to the database's (docs/adr/0010), which drives whatever is due and
/// goes on with what an earlier holder left; the check "sagas" of /readyz; the pages /sagaz (docs/guides/sagas.md);
/// and the check of `./flotilla saga check`.
class Engine {
public:
    Engine(Host& host, Database& database, Calls& calls, EngineOptions options = {});
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    /// The sagas of one definition. Once per name.
    template <class State>
    Sagas<State>& sagas(std::string name) {
        return host_.own<Sagas<State>>(database_, family(std::move(name), descriptor_of<State>));
    }
    /// Takes the replies of participants from a topic.
    void hears(const Topic<Reply>& topic) { host_.on(topic, &Engine::replied, *this, "sagas"); }

private:
    std::shared_ptr<detail::Family> family(std::string name, const TypeDescriptor& state);
    void replied(Transaction& transaction, const Received<Reply>& reply);

    struct Impl;
    Host& host_;
    Database& database_;
    std::unique_ptr<Impl> impl_;
};

} // namespace flotilla::saga
