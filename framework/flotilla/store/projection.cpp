#include <flotilla/store/projection.hpp>

#include <flotilla/aio/event.hpp>
#include <flotilla/store/checkpoint_table.hpp>

namespace flotilla {

Result<void> EventFollower::take(Transaction& transaction, const StoredEvent& stored) const {
    for (const auto& step : steps()) {
        if (step.type != nullptr && step.type->name != stored.type) continue;
        if (auto taken = step.take(step.type, transaction, stored); !taken) return taken;
    }
    return {};
}

ReadModel::ReadModel(Database& database, std::string_view projection)
    : database_(database), projection_(projection),
      swapped_(database.on_signal(checkpoints::kSwapped, [this] { ++swaps_; })) {}
ReadModel::~ReadModel() = default;

task<Result<int>> ReadModel::live(Context& context) {
    if (live_ > 0 && live_since_ == swaps_) co_return live_;
    const auto since = swaps_;
    const auto found = co_await must(checkpoints::live(context, database_, projection_));
    live_ = static_cast<int>(found.value_or(checkpoints::Live()).version);
    live_since_ = since;
    co_return live_;
}

task<Result<void>> ReadModel::caught_up(Context& context) {
    const auto head = co_await must(events::head(context, database_));
    co_return co_await caught_up(context, head);
}

task<Result<void>> ReadModel::caught_up(Context& context, std::int64_t position) {
    auto reached = co_await must(position_of_live(context));
    if (reached >= position) co_return Result<void>();
    Event taken;
    const auto subscription = database_.on_signal(checkpoints::kTaken, [&taken] { taken.notify(); });
    for (;;) {
        reached = co_await must(position_of_live(context));
        if (reached >= position) co_return Result<void>();
        if (co_await taken.wait(context)) continue;
        if (context.reason().kind() != Kind::deadline_exceeded) co_return context.reason();
        co_return Error(Kind::unavailable, "projection_behind",
                        projection_ + " is at position " + std::to_string(reached) + " of " + std::to_string(position) +
                            ": it is late, or it has stopped (see /readyz)");
    }
}

task<Result<std::int64_t>> ReadModel::position_of_live(Context& context) {
    const auto found = co_await must(checkpoints::live(context, database_, projection_));
    co_return found.value_or(checkpoints::Live()).position;
}

} // namespace flotilla
