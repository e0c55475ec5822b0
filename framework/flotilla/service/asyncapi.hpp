#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <flotilla/base/descriptor.hpp>

namespace flotilla {

/// A topic as one service uses it.
struct TopicUse {
    enum class Action : std::uint8_t { send, receive };

    Action action;
    std::string_view topic; ///< of the constant Topic
    std::uint32_t partitions;
    const TypeDescriptor* event;
};

/// The AsyncAPI 3.0.0 document of a service, as JSON text: a channel for each topic it publishes or hears, the
/// operations on them, and messages with their payload and their CloudEvents attributes. The same uses give the same
/// text. Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
std::string asyncapi_document(std::string_view service, std::string_view version, std::span<const TopicUse> topics);

} // namespace flotilla
