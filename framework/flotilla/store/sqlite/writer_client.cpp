#include <flotilla/store/sqlite/writer_client.hpp>

#include <algorithm>
#include <ranges>

#include <flotilla/store/sqlite/writer.hpp>

namespace flotilla::sqlite {

struct WriterClient::Subscription final : SignalSubscription {
    Subscription(std::weak_ptr<WriterClient> owner, Listeners::iterator own_place)
        : client(std::move(owner)), place(own_place) {}
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription() override {
        const auto alive = client.lock();
        if (!alive || alive->closed_) return;
        *place->second = nullptr;
        alive->listeners_.erase(place);
    }

    std::weak_ptr<WriterClient> client;
    Listeners::iterator place;
};

void WriterClient::receive(const std::vector<std::shared_ptr<WriteRequest>>& answered,
                           const std::vector<std::string>& signals) {
    for (const auto& request : answered) {
        if (auto waiter = std::exchange(request->waiter, nullptr)) waiter.resume();
    }
    std::vector<Listeners::mapped_type> callbacks;
    for (const auto& name : signals) {
        const auto [first, last] = listeners_.equal_range(name);
        std::ranges::copy(std::ranges::subrange(first, last) | std::views::values, std::back_inserter(callbacks));
    }
    call(std::move(callbacks));
}

void WriterClient::call_all() {
    std::vector<Listeners::mapped_type> callbacks;
    std::ranges::copy(listeners_ | std::views::values, std::back_inserter(callbacks));
    call(std::move(callbacks));
}

/// A callback may end its own or another subscription, which empties it.
void WriterClient::call(std::vector<Listeners::mapped_type> callbacks) {
    for (const auto& callback : callbacks) {
        if (const auto own = *callback) own();
    }
}

std::unique_ptr<SignalSubscription> WriterClient::subscribe(std::string_view name, std::function<void()> callback) {
    const auto place = listeners_.emplace(name, std::make_shared<std::function<void()>>(std::move(callback)));
    return std::make_unique<Subscription>(weak_from_this(), place);
}

void WriterClient::close() {
    closed_ = true;
    for (const auto& [name, callback] : listeners_)
        *callback = nullptr;
    listeners_.clear();
}

} // namespace flotilla::sqlite
