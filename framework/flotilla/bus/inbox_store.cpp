#include <flotilla/bus/inbox_store.hpp>

#include <exception>

namespace flotilla::inbox {
namespace {

constexpr Query<std::uint64_t, std::string_view, std::string_view, std::string_view, std::uint32_t> kMark{
    "SELECT sequence FROM flotilla_inbox WHERE consumer = $1 AND producer = $2 AND topic = $3 AND partition = $4"};
constexpr Statement<std::string_view, std::string_view, std::string_view, std::uint32_t, std::uint64_t, Timestamp>
    kMoveMark{"INSERT INTO flotilla_inbox (consumer, producer, topic, partition, sequence, updated_at) "
              "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (consumer, producer, topic, partition) "
              "DO UPDATE SET sequence = excluded.sequence, updated_at = excluded.updated_at"};

constexpr Query<std::int64_t, std::string_view, std::string_view, std::string_view, std::uint32_t> kPlaceBelowZero{
    "SELECT coalesce(min(sequence), 0) - 1 FROM flotilla_parked WHERE consumer = $1 "
    "AND producer = $2 AND topic = $3 AND partition = $4 AND sequence < 0"};
constexpr Query<std::string, std::string_view, std::string_view, std::string_view> kParkedOfKey{
    "SELECT id FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND key = $3 LIMIT 1"};
constexpr Query<std::int64_t, std::string_view, std::string_view, std::string_view, std::uint32_t, std::int64_t>
    kCountParked{"SELECT count(*) FROM (SELECT 1 FROM flotilla_parked WHERE consumer = $1 AND producer = $2 "
                 "AND topic = $3 AND partition = $4 LIMIT $5) AS some"};
constexpr Query<Parked, std::string_view, std::string_view, std::uint32_t, std::int64_t> kParked{
    "SELECT id, key, message FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND partition = $3 "
    "ORDER BY producer, sequence LIMIT $4"};
constexpr Query<Timestamp, std::string_view, std::string_view, std::uint32_t> kParkedSince{
    "SELECT parked_at FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND partition = $3 "
    "ORDER BY parked_at LIMIT 1"};
constexpr Statement<std::string_view, std::string_view, std::string_view, std::uint32_t, std::string_view, std::int64_t,
                    std::string_view, std::string_view, std::string_view, int, Timestamp>
    kPark{"INSERT INTO flotilla_parked (id, consumer, topic, partition, producer, sequence, key, message, reason, "
          "attempts, parked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"};
constexpr Statement<std::string_view> kUnpark{"DELETE FROM flotilla_parked WHERE id = $1"};

std::optional<std::uint64_t> read_mark(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    return transaction.find(kMark, work.consumer, message.producer, message.topic, message.partition);
}

void move_mark(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    if (message.sequence == 0) return;
    transaction.execute(kMoveMark, work.consumer, message.producer, message.topic, message.partition, message.sequence,
                        transaction.now());
}

/// Whether the message is next: `handled` stands for yes.
Outcome compare(std::optional<std::uint64_t> mark, const Work& work) {
    const auto sequence = work.message->sequence;
    if (sequence == 0) return {Verdict::handled, mark.value_or(0)};
    if (mark && sequence <= *mark) return {Verdict::duplicate, *mark};
    if (work.over_gap || sequence == mark.value_or(0) + 1) return {Verdict::handled, sequence};
    // What is missing in between is nowhere any more.
    if (work.message->follows && *work.message->follows <= mark.value_or(0)) return {Verdict::handled, sequence};
    // The first message ever sets the start, unless it merely overtook the producer's very first ones.
    if (!mark && work.may_start && sequence > kReorderWindow) return {Verdict::handled, sequence};
    return {Verdict::gap, mark.value_or(0)};
}

/// A parked row's place is unique; messages without a sequence get numbers of their own, below zero.
std::int64_t parked_place(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    if (message.sequence != 0) return static_cast<std::int64_t>(message.sequence);
    return transaction.find(kPlaceBelowZero, work.consumer, message.producer, message.topic, message.partition)
        .value_or(-1);
}

void insert_parked(Transaction& transaction, const Work& work, std::string_view reason, int attempts) {
    const Message& message = *work.message;
    const auto place = parked_place(transaction, work);
    transaction.execute(kPark, transaction.new_id(), work.consumer, message.topic, message.partition, message.producer,
                        place, message.key, json::write(message), reason, attempts, transaction.now());
}

/// The parked message behind which this one waits. Without a key there is no order among them to be kept.
std::optional<std::string> parked_ahead(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    if (message.key.empty()) return {};
    return transaction.find(kParkedOfKey, work.consumer, message.topic, message.key);
}

Result<void> call(const EventHandler& handler, Transaction& transaction, const Message& message) {
    if (transaction.failed()) return {}; // what it did would be in vain
    try {
        return handler(transaction, message);
    } catch (const std::exception& exception) {
        return Error(Kind::internal, "handler_threw", std::string("the handler threw: ") + exception.what());
    } catch (...) {
        return Error(Kind::internal, "handler_threw", "the handler threw something that is no std::exception");
    }
}

} // namespace

Result<Outcome> handle(Transaction& transaction, const Work& work, const EventHandler& handler) {
    Outcome outcome = compare(read_mark(transaction, work), work);
    if (outcome.verdict != Verdict::handled) return outcome;
    if (const auto ahead = parked_ahead(transaction, work)) {
        insert_parked(transaction, work, "waits behind parked " + *ahead + ", which has the same key", 0);
        outcome.verdict = Verdict::parked;
    } else if (auto handled = call(handler, transaction, *work.message); !handled) {
        return std::move(handled.error());
    }
    move_mark(transaction, work);
    return outcome;
}

Outcome park(Transaction& transaction, const Work& work, std::string_view reason, int attempts) {
    Outcome outcome = compare(read_mark(transaction, work), work);
    if (outcome.verdict != Verdict::handled) return outcome;
    insert_parked(transaction, work, reason, attempts);
    move_mark(transaction, work);
    outcome.verdict = Verdict::parked;
    return outcome;
}

task<Result<std::vector<Parked>>> load_parked(Context& context, Database& database, std::string consumer,
                                              std::string topic, std::uint32_t partition, std::int64_t limit) {
    return database.select(context, kParked, consumer, topic, partition, limit);
}

task<Result<std::optional<Timestamp>>> parked_since(Context& context, Database& database, std::string consumer,
                                                    std::string topic, std::uint32_t partition) {
    return database.find(context, kParkedSince, consumer, topic, partition);
}

std::int64_t count_parked(Transaction& transaction, const Work& work, std::int64_t most) {
    const Message& message = *work.message;
    return transaction.find(kCountParked, work.consumer, message.producer, message.topic, message.partition, most)
        .value_or(0);
}

Result<void> replay(Transaction& transaction, std::string_view id, const Message& message,
                    const EventHandler& handler) {
    if (transaction.execute(kUnpark, id) == 0) return {};
    return call(handler, transaction, message);
}

} // namespace flotilla::inbox
