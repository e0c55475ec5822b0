#include <flotilla/bus/outbox.hpp>

namespace flotilla {
namespace {

// Every driver takes messages up to this size; a larger one would never leave the outbox.
constexpr std::size_t kPayloadBytesMax = 4 * 1024 * 1024;

constexpr Statement<std::string_view, std::string_view, std::uint32_t, std::string_view, Timestamp, std::string_view,
                    std::string_view>
    kWrite{"INSERT INTO flotilla_outbox (event_id, topic, partition, key, occurred_at, traceparent, payload) "
           "VALUES ($1, $2, $3, $4, $5, $6, $7)"};

} // namespace

void publish_event(Transaction& transaction, std::string_view topic, std::uint32_t partition, std::string key,
                   std::string payload_json) {
    if (payload_json.size() > kPayloadBytesMax) {
        return transaction.fail(Error(Kind::too_large, "event_too_large",
                                      "an event of \"" + std::string(topic) + "\" has " +
                                          std::to_string(payload_json.size()) + " bytes; at most " +
                                          std::to_string(kPayloadBytesMax) + " can be published"));
    }
    transaction.execute(kWrite, transaction.new_id(), topic, partition, key, transaction.now(),
                        transaction.trace().traceparent().view(), payload_json);
    transaction.signal("outbox");
}

} // namespace flotilla
