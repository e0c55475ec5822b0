#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/contract/topic.hpp>

namespace flotilla {

/// A topic as one service uses it.
struct TopicUse {
    enum class Action : std::uint8_t { send, receive };

    Action action;
    std::string_view topic; ///< of the constant Topic
    std::uint32_t partitions;
    const TypeDescriptor* event;
    bool pubsub = false; ///< TopicOptions::pubsub
};

template <class Event>
TopicUse topic_use(TopicUse::Action action, const Topic<Event>& topic) {
    return {action, topic.name, topic.options.partitions, &descriptor_of<Event>, topic.options.pubsub};
}

/// The AsyncAPI 3.0.0 document of a service, as JSON text: a channel for each topic it publishes or hears, the
/// operations on them, and messages with their payload and their CloudEvents attributes. `x-pubsub` marks a topic whose
/// consumers also hear bare payloads on the pub/sub channel it names. The same uses give the same
/// text. Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
std::string asyncapi_document(std::string_view service, std::string_view version, std::span<const TopicUse> topics);

} // namespace flotilla
