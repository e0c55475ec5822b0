#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>

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

/// A named stream of events of one type: `inline constexpr Topic<OrderPlaced> placed{"order.created", {.key =
/// &OrderPlaced::order_id}};`
template <class Event>
struct Topic {
    using event_type = Event;
    std::string_view name;
    TopicOptions<Event> options;

    consteval Topic(std::string_view topic_name, TopicOptions<Event> topic_options = {})
        : name(topic_name), options(topic_options) {
        if (topic_name.empty()) throw "a topic has a name";
        if (topic_options.partitions == 0) throw "a topic has at least one partition";
    }
    std::string key_of(const Event& event) const { return options.key ? event.*options.key : std::string(); }
};

/// A kind of durable job: an effect on the outside world, written by a transaction and executed afterwards.
/// `inline constexpr Job<SendMail> send_mail{"send_mail"};` Payloads are stored as JSON.
template <class Payload>
struct Job {
    using payload_type = Payload;
    std::string_view name;
};

} // namespace flotilla
