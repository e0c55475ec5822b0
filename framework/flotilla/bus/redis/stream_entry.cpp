#include <flotilla/bus/redis/stream_entry.hpp>

#include <charconv>

namespace flotilla {
namespace {

std::uint64_t number_of(std::string_view text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::pair<std::uint64_t, std::uint64_t> numbers_of(std::string_view id) {
    const auto dash = id.find('-');
    return {number_of(id.substr(0, dash)), dash == std::string_view::npos ? 0 : number_of(id.substr(dash + 1))};
}

void set_field(Message& message, std::string_view field, const std::string& value) {
    if (field == "id") {
        message.id = value;
    } else if (field == "source") {
        message.producer = value;
    } else if (field == "time") {
        if (auto time = Timestamp::parse(value)) message.time = *time; // else the entry's own
    } else if (field == "traceparent") {
        message.traceparent = value;
    } else if (field == "key") {
        message.key = value;
    } else if (field == "sequence") {
        message.sequence = number_of(value);
    } else if (field == "follows") {
        message.follows = number_of(value);
    } else if (field == "data") {
        message.payload = value;
    }
}

/// What every event has and an entry of another program may lack, from the name the bus gave the entry: the same each
/// time it is delivered.
void complete(StreamEntry& entry) {
    auto& message = entry.message;
    if (message.id.empty()) message.id = message.topic + "-" + std::to_string(message.partition) + "-" + entry.id;
    if (message.time == Timestamp())
        message.time = Timestamp(static_cast<std::int64_t>(numbers_of(entry.id).first) * 1000);
}

Error not_an_entry() {
    return Error(Kind::bad_gateway, "redis_protocol", "redis: the reply is not a list of stream entries");
}

} // namespace

std::string stream_name(std::string_view topic, std::uint32_t partition) {
    return "flotilla:{" + std::string(topic) + "}:" + std::to_string(partition);
}

std::vector<std::string> entry_fields(const Message& message) {
    std::vector<std::string> fields{"specversion",
                                    "1.0",
                                    "id",
                                    message.id,
                                    "source",
                                    message.producer,
                                    "type",
                                    message.topic,
                                    "time",
                                    message.time.to_string(),
                                    "datacontenttype",
                                    "application/json",
                                    "traceparent",
                                    message.traceparent,
                                    "key",
                                    message.key,
                                    "partition",
                                    std::to_string(message.partition),
                                    "sequence",
                                    std::to_string(message.sequence),
                                    "data",
                                    message.payload};
    if (message.follows) fields.insert(fields.end(), {"follows", std::to_string(*message.follows)});
    return fields;
}

Result<std::optional<StreamEntry>> parse_entry(const resp::Value& value, std::string_view topic,
                                               std::uint32_t partition) {
    if (value.is_null()) return std::optional<StreamEntry>();
    if (!value.is_aggregate() || value.items.size() != 2 || !value.items[0].is_text()) return not_an_entry();
    const auto& fields = value.items[1];
    if (fields.is_null()) return std::optional<StreamEntry>();
    if (!fields.is_aggregate() || fields.items.size() % 2 != 0) return not_an_entry();
    StreamEntry entry;
    entry.id = value.items[0].text;
    entry.message.topic = topic;
    entry.message.partition = partition;
    for (std::size_t i = 0; i < fields.items.size(); i += 2) {
        set_field(entry.message, fields.items[i].text, fields.items[i + 1].text);
    }
    complete(entry);
    return std::optional(std::move(entry));
}

Result<std::vector<StreamEntry>> parse_entries(const resp::Value& values, std::string_view topic,
                                               std::uint32_t partition) {
    std::vector<StreamEntry> entries;
    if (values.is_null()) return entries;
    if (!values.is_aggregate()) return not_an_entry();
    for (const auto& value : values.items) {
        auto entry = parse_entry(value, topic, partition);
        if (!entry) return std::move(entry.error());
        if (*entry) entries.push_back(std::move(**entry));
    }
    return entries;
}

bool EntryIdLess::operator()(std::string_view left, std::string_view right) const {
    return numbers_of(left) < numbers_of(right);
}

} // namespace flotilla
