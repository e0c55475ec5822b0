#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/bus.hpp>

/// What the tests of the bus share. For tests only.
namespace flotilla::bus_testing {

/// The value, or an exception that fails the test with the error's text: assertions cannot end a coroutine.
template <class T>
T want(Result<T> result) {
    if (!result) throw std::runtime_error(std::string(name(result.error().kind())) + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// Runs a test's body on a loop of its own, bounded in time.
template <class... Parameters, class... Arguments>
void run_bounded(task<void> (*body)(Context&, Parameters...), Arguments&&... arguments) {
    Loop loop;
    Context root(loop.world());
    Context context(root, std::chrono::seconds(60));
    loop.run_until_done(body(context, std::forward<Arguments>(arguments)...));
}

/// A folder that goes with the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "flotilla-bus-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored; // a folder left behind fails no test
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

inline Message make_message(std::string topic, std::uint64_t sequence, std::string key = "k",
                            std::string producer = "shop", std::uint32_t partition = 0) {
    Message message;
    message.topic = std::move(topic);
    message.partition = partition;
    message.key = std::move(key);
    message.sequence = sequence;
    message.id = producer + "-" + std::to_string(partition) + "-" + std::to_string(sequence);
    message.producer = std::move(producer);
    message.time = Timestamp(1'700'000'000'000'000 + static_cast<std::int64_t>(sequence));
    message.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    message.payload = R"({"n":)" + std::to_string(sequence) + "}";
    return message;
}

inline std::vector<Message> make_messages(const std::string& topic, std::uint64_t first, std::uint64_t last) {
    std::vector<Message> messages;
    for (auto sequence = first; sequence <= last; ++sequence)
        messages.push_back(make_message(topic, sequence));
    return messages;
}

inline std::vector<std::uint64_t> sequences(const std::vector<Delivery>& deliveries) {
    std::vector<std::uint64_t> found;
    for (const auto& delivery : deliveries)
        found.push_back(delivery.message.sequence);
    return found;
}

inline std::vector<std::string> tokens(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> found;
    for (const auto& delivery : deliveries)
        found.push_back(delivery.token);
    return found;
}

/// Receives until `count` deliveries are there. A lost connection is waited out.
inline task<std::vector<Delivery>> receive_all(Context& context, Subscription& subscription, std::size_t count) {
    std::vector<Delivery> all;
    while (all.size() < count) {
        auto some = co_await subscription.receive(context, count - all.size());
        if (!some && some.error().kind() == Kind::unavailable && !context.cancelled()) continue;
        for (auto& delivery : want(std::move(some)))
            all.push_back(std::move(delivery));
    }
    co_return all;
}

/// Publishes; a lost connection is waited out.
inline task<void> publish_all(Context& context, Bus& bus, std::vector<Message> messages) {
    for (;;) {
        auto published = co_await bus.publish(context, messages);
        if (!published && published.error().kind() == Kind::unavailable && !context.cancelled()) continue;
        want(std::move(published));
        co_return;
    }
}

} // namespace flotilla::bus_testing
