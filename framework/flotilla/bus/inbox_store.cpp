#include <flotilla/bus/inbox_store.hpp>

#include <exception>

namespace flotilla::inbox {
namespace {

Result<std::optional<std::uint64_t>> read_mark(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    return transaction.find<std::uint64_t>("SELECT sequence FROM flotilla_inbox"
                                           " WHERE consumer = $1 AND producer = $2 AND topic = $3 AND partition = $4",
                                           work.consumer, message.producer, message.topic, message.partition);
}

Result<void> move_mark(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    if (message.sequence == 0) return {};
    auto moved = transaction.execute(
        "INSERT INTO flotilla_inbox (consumer, producer, topic, partition, sequence, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (consumer, producer, topic, partition)"
        " DO UPDATE SET sequence = excluded.sequence, updated_at = excluded.updated_at",
        work.consumer, message.producer, message.topic, message.partition, message.sequence, transaction.now());
    if (!moved) return std::move(moved.error());
    return {};
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
Result<std::int64_t> parked_place(Transaction& transaction, const Work& work) {
    const Message& message = *work.message;
    if (message.sequence != 0) return static_cast<std::int64_t>(message.sequence);
    auto lowest =
        transaction.find<std::int64_t>("SELECT coalesce(min(sequence), 0) - 1 FROM flotilla_parked WHERE consumer = $1"
                                       " AND producer = $2 AND topic = $3 AND partition = $4 AND sequence < 0",
                                       work.consumer, message.producer, message.topic, message.partition);
    if (!lowest) return std::move(lowest.error());
    return lowest->value_or(-1);
}

Result<void> insert_parked(Transaction& transaction, const Work& work, const std::string& reason, int attempts) {
    const Message& message = *work.message;
    auto place = parked_place(transaction, work);
    if (!place) return std::move(place.error());
    auto inserted = transaction.execute(
        "INSERT INTO flotilla_parked"
        " (id, consumer, topic, partition, producer, sequence, key, message, reason, attempts, parked_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        transaction.new_id(), work.consumer, message.topic, message.partition, message.producer, *place, message.key,
        json::write(message), reason, attempts, transaction.now());
    if (!inserted) return std::move(inserted.error());
    return {};
}

Result<void> call(const EventHandler& handler, Transaction& transaction, const Message& message) {
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
    const Message& message = *work.message;
    auto mark = read_mark(transaction, work);
    if (!mark) return std::move(mark.error());
    Outcome outcome = compare(*mark, work);
    if (outcome.verdict != Verdict::handled) return outcome;
    Result<std::optional<std::string>> ahead;
    if (!message.key.empty()) { // without a key there is no order among them to be kept
        ahead = transaction.find<std::string>(
            "SELECT id FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND key = $3 LIMIT 1", work.consumer,
            message.topic, message.key);
        if (!ahead) return std::move(ahead.error());
    }
    if (*ahead) {
        auto parked =
            insert_parked(transaction, work, "waits behind parked " + **ahead + ", which has the same key", 0);
        if (!parked) return std::move(parked.error());
        outcome.verdict = Verdict::parked;
    } else if (auto handled = call(handler, transaction, message); !handled) {
        return std::move(handled.error());
    }
    if (auto moved = move_mark(transaction, work); !moved) return std::move(moved.error());
    return outcome;
}

Result<Outcome> park(Transaction& transaction, const Work& work, const std::string& reason, int attempts) {
    auto mark = read_mark(transaction, work);
    if (!mark) return std::move(mark.error());
    Outcome outcome = compare(*mark, work);
    if (outcome.verdict != Verdict::handled) return outcome;
    if (auto parked = insert_parked(transaction, work, reason, attempts); !parked) return std::move(parked.error());
    if (auto moved = move_mark(transaction, work); !moved) return std::move(moved.error());
    outcome.verdict = Verdict::parked;
    return outcome;
}

task<Result<std::vector<Parked>>> load_parked(Context& context, Database& database, std::string consumer,
                                              std::string topic, std::uint32_t partition, std::int64_t limit) {
    return database.select<Parked>(
        context,
        "SELECT id, key, message FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND partition = $3"
        " ORDER BY producer, sequence LIMIT $4",
        std::move(consumer), std::move(topic), partition, limit);
}

task<Result<std::optional<Timestamp>>> parked_since(Context& context, Database& database, std::string consumer,
                                                    std::string topic, std::uint32_t partition) {
    return database.find<Timestamp>(
        context,
        "SELECT parked_at FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND partition = $3"
        " ORDER BY parked_at LIMIT 1",
        std::move(consumer), std::move(topic), partition);
}

Result<std::int64_t> count_parked(Transaction& transaction, const Work& work, std::int64_t most) {
    const Message& message = *work.message;
    auto count = transaction.find<std::int64_t>(
        "SELECT count(*) FROM (SELECT 1 FROM flotilla_parked WHERE consumer = $1 AND producer = $2 AND topic = $3"
        " AND partition = $4 LIMIT $5) AS some",
        work.consumer, message.producer, message.topic, message.partition, most);
    if (!count) return std::move(count.error());
    return count->value_or(0);
}

Result<void> replay(Transaction& transaction, const std::string& id, const Message& message,
                    const EventHandler& handler) {
    auto removed = transaction.execute("DELETE FROM flotilla_parked WHERE id = $1", id);
    if (!removed) return std::move(removed.error());
    if (*removed == 0) return {};
    return call(handler, transaction, message);
}

} // namespace flotilla::inbox
