#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

template <class Event>
struct TopicOptions {
    /// Events with the same key stay in order. Without one all of a partition's events share the empty key.
    std::string Event::* key = nullptr;
    std::uint32_t partitions = 1;
    /// Consumers also hear bare payloads that programs without streams PUBLISH on the pub/sub channel named like the
    /// topic. Those come at most once, in no order with the stream's, and get their id from the consumer that hears
    /// them; see docs/guides/events-from-other-languages.md.
    bool pubsub = false;
};

namespace detail {
/// Empty, or what is wrong with a topic of that name and number of partitions. Every bus must be able to carry the name
/// as one word.
constexpr std::string_view fault_of_topic(std::string_view name, std::uint32_t partitions) {
    if (name.empty()) return "a topic has a name";
    if (name.size() > 200) return "a topic's name has at most 200 characters";
    for (const char c : name) {
        const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                          c == '_' || c == '-';
        if (!fine) return "a topic's name is made of letters, digits, '.', '_' and '-'";
    }
    if (partitions == 0) return "a topic has at least one partition";
    return {};
}
} // namespace detail

/// A named stream of events of one type: `inline constexpr Topic<OrderPlaced> placed{"order.created", {.key =
/// &OrderPlaced::order_id}};`
template <class Event>
struct Topic {
    using event_type = Event;
    std::string_view name;
    TopicOptions<Event> options;

    consteval Topic(std::string_view topic_name, TopicOptions<Event> topic_options = {})
        : name(topic_name), options(topic_options) {
        if (!detail::fault_of_topic(topic_name, topic_options.partitions).empty())
            throw "a topic has at least one partition and a name of letters, digits, '.', '_' and '-'";
    }
    /// A topic whose name is known at run time only (a read model's, a saga's replies); the name's text must outlive
    /// it, and host.publishes() and host.on() copy what they need. The same checks; errors: invalid.
    static Result<Topic> named(std::string_view name, TopicOptions<Event> options = {}) {
        if (const auto fault = detail::fault_of_topic(name, options.partitions); !fault.empty())
            return Error(Kind::invalid, "invalid_topic", std::string(fault) + ": \"" + std::string(name) + "\"");
        return Topic(options, name);
    }
    std::string key_of(const Event& event) const { return options.key ? event.*options.key : std::string(); }

private:
    constexpr Topic(TopicOptions<Event> checked_options, std::string_view checked_name)
        : name(checked_name), options(checked_options) {}
};

/// A kind of durable job: an effect on the outside world, written by a transaction and executed afterwards.
/// `inline constexpr Job<SendMail> send_mail{"send_mail"};` Payloads are stored as JSON.
template <class Payload>
struct Job {
    using payload_type = Payload;
    std::string_view name;
};

} // namespace flotilla
