#include <flotilla/aio/world.hpp>

#include <array>
namespace flotilla {

World::~World() {
    // What is still scheduled will not run; its owner may outlive this world.
    while (first_wakeup_ != nullptr)
        first_wakeup_->cancel();
}

void Wakeup::schedule() {
    if (scheduled()) return;
    round_ = world_.wakeup_round_;
    previous_ = world_.last_wakeup_;
    *previous_ = this;
    world_.last_wakeup_ = &next_;
    if (std::exchange(world_.wakeups_posted_, true)) return;
    world_.post([world = &world_] { world->run_wakeups(); });
}

void Wakeup::cancel() {
    if (!scheduled()) return;
    *previous_ = next_;
    (next_ != nullptr ? next_->previous_ : world_.last_wakeup_) = previous_;
    previous_ = nullptr;
    next_ = nullptr;
}

void World::run_wakeups() {
    // One round: what is scheduled meanwhile waits for the next, so that I/O and timers get their turn in between.
    const std::uint64_t round = wakeup_round_++;
    while (first_wakeup_ != nullptr && first_wakeup_->round_ == round) {
        Wakeup& wakeup = *first_wakeup_;
        wakeup.cancel();
        wakeup.callback_(wakeup.argument_);
    }
    wakeups_posted_ = first_wakeup_ != nullptr;
    if (wakeups_posted_) post([this] { run_wakeups(); });
}

Uuid new_id(World& world) {
    std::array<std::uint8_t, 10> random{};
    const std::uint64_t high = world.random();
    const std::uint64_t low = world.random();
    for (std::size_t i = 0; i < 8; ++i)
        random[i] = static_cast<std::uint8_t>(high >> (8 * i));
    for (std::size_t i = 8; i < 10; ++i)
        random[i] = static_cast<std::uint8_t>(low >> (8 * (i - 8)));
    return make_uuid_v7(world.now(), random);
}

} // namespace flotilla
