#pragma once

#include <string>
#include <utility>

#include <flotilla/base/json.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/bus/outbox.hpp>
#include <flotilla/contract/topic.hpp>
#include <flotilla/store/database.hpp>

namespace flotilla {

/// The right to publish a topic's events: host.publishes(topic) gives it, and declares the topic in the service's
/// AsyncAPI document; nothing else does. Thread-safe.
template <class Event>
class Publisher {
public:
    Publisher(const Publisher&) = delete;
    Publisher& operator=(const Publisher&) = delete;

    /// Writes the event into the outbox, in the transaction's own commit; the relay publishes it afterwards.
    /// One of more than 4 MiB ends the transaction: too_large `event_too_large`.
    void publish(Transaction& transaction, const Event& event) const {
        std::string key = key_ ? event.*key_ : std::string();
        const auto partition = partition_of(key, partitions_);
        publish_event(transaction, topic_, partition, std::move(key), json::write(event));
    }

private:
    friend class Host;
    explicit Publisher(const Topic<Event>& topic)
        : topic_(topic.name), key_(topic.options.key), partitions_(topic.options.partitions) {}

    const std::string topic_; // the name of a topic made at run time need not last
    std::string Event::* const key_;
    const std::uint32_t partitions_;
};

} // namespace flotilla
