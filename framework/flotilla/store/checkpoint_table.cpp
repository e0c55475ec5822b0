#include <flotilla/store/checkpoint_table.hpp>

#include <exception>

namespace flotilla::checkpoints {
namespace {

struct Checkpoint {
    std::int64_t position = 0;
    bool live = false;
};
constexpr Query<Checkpoint, std::string_view, int> kCheckpoint{
    "SELECT position, live FROM flotilla_checkpoints WHERE follower = $1 AND version = $2"};
constexpr Query<Live, std::string_view> kLive{
    "SELECT version, position FROM flotilla_checkpoints WHERE follower = $1 AND live = 1"};
constexpr Statement<std::string_view, int, std::int64_t, bool, Timestamp> kBegin{
    "INSERT INTO flotilla_checkpoints (follower, version, position, live, updated_at) VALUES ($1, $2, $3, $4, $5)"};
constexpr Statement<std::string_view, int, std::int64_t, Timestamp> kMove{
    "UPDATE flotilla_checkpoints SET position = $3, updated_at = $4 WHERE follower = $1 AND version = $2"};
constexpr Statement<std::string_view, std::int64_t> kTakeLive{
    "UPDATE flotilla_checkpoints SET live = 0 WHERE follower = $1 AND version = $2"};
constexpr Statement<std::string_view, int> kGiveLive{
    "UPDATE flotilla_checkpoints SET live = 1 WHERE follower = $1 AND version = $2"};
constexpr Query<Timestamp, std::int64_t> kNextTime{
    "SELECT occurred_at FROM flotilla_events WHERE position > $1 ORDER BY position LIMIT 1"};

/// The first version there is serves from the start: there is nothing else.
Checkpoint begin(Transaction& transaction, const TakeNext& next, bool live) {
    const Checkpoint checkpoint{.position = next.follower->from_now ? next.to : 0, .live = live};
    transaction.execute(kBegin, next.follower->name, next.follower->version, checkpoint.position, live,
                        transaction.now());
    transaction.signal(kTaken);
    return checkpoint;
}

Result<void> take(const EventFollower& follower, Transaction& transaction, const StoredEvent& event) {
    try {
        auto taken = follower.take(transaction, event);
        if (transaction.failed()) return *transaction.failure();
        return taken;
    } catch (const std::exception& exception) {
        return Error(Kind::internal, std::string("its function threw: ") + exception.what());
    } catch (...) {
        return Error(Kind::internal, "its function threw something that is no std::exception");
    }
}

/// From now on readers read this version. What they had read before is in it, so that they do not go back in time.
void swap(Transaction& transaction, const EventFollower& follower, const Live& former) {
    transaction.execute(kTakeLive, follower.name, former.version);
    transaction.execute(kGiveLive, follower.name, follower.version);
    transaction.signal(kSwapped);
    transaction.signal(kTaken);
}

} // namespace

Result<Step> TakeNext::operator()(Transaction& transaction) const {
    *failed = Failed();
    const auto former = transaction.find(kLive, follower->name);
    auto checkpoint = transaction.find(kCheckpoint, follower->name, follower->version);
    if (!checkpoint) checkpoint = begin(transaction, *this, !former);
    Step step{.position = checkpoint->position, .live = checkpoint->live};
    step.followed = !step.live && !newest;
    if (step.followed || transaction.failed()) return step;

    const auto page = transaction.select(events::of_all, step.position, to, limit);
    for (const auto& event : page) {
        if (auto taken = take(*follower, transaction, event); !taken) {
            *failed = {event.position, event.type + ", " + event.stream + " at " + std::to_string(event.version)};
            return std::move(taken.error());
        }
        step.position = event.position;
        ++step.taken;
    }
    if (step.taken > 0) {
        transaction.execute(kMove, follower->name, follower->version, step.position, transaction.now());
        transaction.signal(kTaken);
    }
    step.swapped = !step.live && all && step.taken < limit && step.position >= former.value_or(Live()).position;
    if (!step.swapped) return step;
    swap(transaction, *follower, former.value_or(Live()));
    step.live = true;
    return step;
}

task<Result<std::optional<Live>>> live(Context& context, Database& database, std::string_view projection) {
    return database.find(context, kLive, projection);
}

task<Result<std::optional<Timestamp>>> next_time(Context& context, Database& database, std::int64_t position) {
    return database.find(context, kNextTime, position);
}

} // namespace flotilla::checkpoints
