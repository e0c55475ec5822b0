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
    if (live_ == 0 || live_since_ != swaps_) co_await must(look(context));
    co_return live_;
}

/// Reads how far the live version is, and which one it is: what was waited for must be read from that one's tables.
task<Result<std::int64_t>> ReadModel::look(Context& context) {
    const auto since = swaps_;
    const auto found =
        (co_await must(checkpoints::live(context, database_, projection_))).value_or(checkpoints::Live());
    live_ = static_cast<int>(found.version);
    live_since_ = since;
    co_return found.position;
}

task<Result<void>> ReadModel::caught_up(Context& context) {
    const auto head = co_await must(events::head(context, database_));
    co_return co_await caught_up(context, head);
}

task<Result<void>> ReadModel::caught_up(Context& context, std::int64_t position) {
    auto reached = co_await must(look(context));
    if (reached >= position) co_return Result<void>();
    Event taken;
    const auto subscription = database_.on_signal(checkpoints::kTaken, [&taken] { taken.notify(); });
    for (;;) {
        reached = co_await must(look(context));
        if (reached >= position) co_return Result<void>();
        if (co_await taken.wait(context)) continue;
        if (context.reason().kind() != Kind::deadline_exceeded) co_return context.reason();
        co_return Error(Kind::unavailable, "projection_behind",
                        "the projection " + projection_ + " is at position " + std::to_string(reached) + " of " +
                            std::to_string(position) + ": it is late, or it has stopped (see /readyz)");
    }
}

} // namespace flotilla
