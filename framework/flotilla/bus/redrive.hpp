#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/bus/bus.hpp>

namespace flotilla {

/// What a consumer that misses events asks their producer for: the payload of a message on redrive_topic(producer).
struct RedriveRequest {
    std::string topic;
    std::uint32_t partition = 0;
    std::uint64_t from_sequence = 0;
    /// The first one that the consumer has: published again, it shows what is no longer kept before it (see
    /// Message::follows). Absent: everything from there on.
    std::optional<std::uint64_t> to_sequence;
};

/// The group in which a producer's relay hears requests.
inline constexpr std::string_view kRedriveGroup = "flotilla-relay";

/// The request as a message. It has no sequence: losing or repeating one does no harm.
Message redrive_message(World& world, std::string_view producer, std::string_view asking_group,
                        const RedriveRequest& request);

} // namespace flotilla
