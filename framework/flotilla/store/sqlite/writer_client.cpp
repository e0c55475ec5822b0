#include <flotilla/store/sqlite/writer_client.hpp>

#include <algorithm>

#include <flotilla/store/sqlite/writer.hpp>

namespace flotilla::sqlite {

struct WriterClient::Subscription final : SignalSubscription {
    Subscription(std::weak_ptr<WriterClient> owner, std::shared_ptr<Listener> own_listener)
        : client(std::move(owner)), listener(std::move(own_listener)) {}
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription() override {
        if (const auto alive = client.lock()) std::erase(alive->listeners_, listener);
    }

    std::weak_ptr<WriterClient> client;
    std::shared_ptr<Listener> listener;
};

void WriterClient::receive(const std::vector<std::shared_ptr<WriteRequest>>& answered,
                           const std::vector<std::string>& signals) {
    for (const auto& request : answered) {
        if (auto waiter = std::exchange(request->waiter, nullptr)) waiter.resume();
    }
    if (signals.empty()) return;
    call([&](const std::string& name) { return std::ranges::find(signals, name) != signals.end(); });
}

void WriterClient::call_all() {
    call([](const std::string&) { return true; });
}

template <class Wanted>
void WriterClient::call(Wanted wanted) {
    // A callback may end its own or another subscription.
    const auto listeners = listeners_;
    for (const auto& listener : listeners) {
        const bool subscribed = std::ranges::find(listeners_, listener) != listeners_.end();
        if (subscribed && wanted(listener->name)) listener->callback();
    }
}

std::unique_ptr<SignalSubscription> WriterClient::subscribe(std::string_view name, std::function<void()> callback) {
    auto listener = std::make_shared<Listener>(Listener{std::string(name), std::move(callback)});
    listeners_.push_back(listener);
    return std::make_unique<Subscription>(weak_from_this(), std::move(listener));
}

} // namespace flotilla::sqlite
