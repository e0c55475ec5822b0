#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/world.hpp>
#include <flotilla/store/database.hpp>

namespace flotilla::sqlite {

struct WriteRequest;

/// Where a writer sends answers and signals: the loop of one Database object. Shared with what is on its way there.
/// Thread-safety: none but world(); lives on its loop.
class WriterClient : public std::enable_shared_from_this<WriterClient> {
public:
    explicit WriterClient(World& world) : world_(world) {}

    World& world() const { return world_; }
    /// Resumes who waits for these requests, then calls the listeners of the signals.
    void receive(const std::vector<std::shared_ptr<WriteRequest>>& answered, const std::vector<std::string>& signals);
    /// Calls every listener: another process gave signals, and it is not known which.
    void call_all();
    bool has_listeners() const { return !listeners_.empty(); }
    std::unique_ptr<SignalSubscription> subscribe(std::string_view name, std::function<void()> callback);
    /// Nothing is called back any more.
    void close();

private:
    struct Subscription;
    using Listeners = std::multimap<std::string, std::shared_ptr<std::function<void()>>, std::less<>>;
    void call(std::vector<Listeners::mapped_type> callbacks);

    World& world_;
    bool closed_ = false;
    Listeners listeners_; ///< by the signal's name: there may be a thousand, each for one of its own
};

} // namespace flotilla::sqlite
