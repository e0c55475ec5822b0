#include <flotilla/bus/channel_consumer.hpp>

#include <deque>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/inbox_store.hpp>

namespace flotilla {

struct ChannelConsumer::Impl {
    Impl(World& world, Tenure& tenure, Bus& bus, Consumer::Source source, EventHandler handler, Telemetry& telemetry,
         Options options);

    Labels labels() const { return {{"consumer", consumer_}, {"topic", topic_}}; }
    task<void> run(Context& context);
    task<void> listen(Context& context);
    task<void> handle_all(Context& context);
    task<Result<void>> settle(Context& context, std::shared_ptr<const Message> message);
    void hear(const Context& context, std::string payload);
    void drop(const Context& context, std::uint64_t count, std::string_view why);
    void note_emptied(const Context& context);
    void note_settled(const Context& context, const Message& message, const std::string& reason, bool kept);
    void note_failure(const Context& context, const Error& error);

    World& world_;
    Tenure& tenure_;
    Bus& bus_;
    const std::string topic_;
    const std::string consumer_;
    const std::string instance_;
    const std::shared_ptr<const EventHandler> handler_; // shared with transactions that outlive a cancelled wait
    Logger log_;
    const Options options_;
    Counter& handled_counter_;
    Counter& dropped_counter_;
    Counter& parked_counter_;
    Statistics statistics_;

    std::deque<std::shared_ptr<const Message>> queue_;
    std::size_t queue_bytes_ = 0;
    std::uint64_t dropped_in_a_row_ = 0; // since the queue was last empty
    Event queued_;
    bool outage_ = false;
};

namespace {

using inbox::Work;

/// Whether the message was handled or set aside; false when too many are set aside already.
Result<bool> settle_in(Transaction& transaction, const Work& work, const EventHandler& handler,
                       const std::string& reason, int attempts, std::int64_t parked_max) {
    if (reason.empty()) {
        if (auto handled = inbox::handle(transaction, work, handler); !handled) return std::move(handled.error());
        return true;
    }
    if (inbox::count_parked(transaction, work, parked_max) >= parked_max) return false;
    inbox::park(transaction, work, reason, attempts);
    return true;
}

} // namespace

ChannelConsumer::Impl::Impl(World& world, Tenure& tenure, Bus& bus, Consumer::Source source, EventHandler handler,
                            Telemetry& telemetry, Options options)
    : world_(world), tenure_(tenure), bus_(bus), topic_(std::move(source.topic)), consumer_(std::move(source.consumer)),
      instance_(std::move(source.instance)), handler_(std::make_shared<EventHandler>(std::move(handler))),
      log_(telemetry.log), options_(options),
      handled_counter_(
          telemetry.metrics.counter("flotilla_pubsub_handled_total", "Events heard on pub/sub and handled", labels())),
      dropped_counter_(telemetry.metrics.counter(
          "flotilla_pubsub_dropped_total", "Events heard on pub/sub and lost: they came faster than they were handled",
          labels())),
      parked_counter_(telemetry.metrics.counter("flotilla_pubsub_parked_total",
                                                "Events heard on pub/sub and set aside: their handler refuses them",
                                                labels())) {}

task<void> ChannelConsumer::Impl::run(Context& context) {
    co_await scoped(context, [this](Scope& scope) -> task<void> {
        scope.spawn(listen(scope.context()));
        co_await handle_all(scope.context());
    });
    if (!queue_.empty()) drop(context, queue_.size(), "the service stops, or another host has taken over");
}

task<void> ChannelConsumer::Impl::listen(Context& context) {
    const auto channel = bus_.listen(topic_, consumer_, instance_);
    Backoff backoff(options_.retry_min, options_.retry_max);
    while (!context.cancelled()) {
        auto heard = co_await channel->receive(context);
        if (heard) {
            backoff.reset();
            if (heard->missed > 0) drop(context, heard->missed, "the bus did not keep them");
            for (auto& payload : heard->payloads)
                hear(context, std::move(payload));
            continue;
        }
        if (context.cancelled()) break;
        note_failure(context, heard.error());
        if (const auto slept = co_await sleep_for(context, backoff.next(world_.random())); !slept) break;
    }
}

void ChannelConsumer::Impl::hear(const Context& context, std::string payload) {
    if (queue_.size() >= options_.queue_messages_max || queue_bytes_ + payload.size() > options_.queue_bytes_max)
        return drop(context, 1, "they come faster than they are handled");
    queue_bytes_ += payload.size();
    queue_.push_back(std::make_shared<const Message>(Message{.topic = topic_,
                                                             .id = new_id(world_),
                                                             .producer = std::string(kChannelProducer),
                                                             .time = world_.now(),
                                                             .payload = std::move(payload)}));
    queued_.notify();
}

task<void> ChannelConsumer::Impl::handle_all(Context& context) {
    while (!context.cancelled()) {
        if (queue_.empty()) {
            note_emptied(context);
            if (const auto woken = co_await queued_.wait(context); !woken) break;
            continue;
        }
        if (const auto settled = co_await settle(context, queue_.front()); !settled) break; // it stays, to be counted
        queue_bytes_ -= queue_.front()->payload.size();
        queue_.pop_front();
    }
}

/// Tries until the message is handled or set aside. Fails only when cancelled.
task<Result<void>> ChannelConsumer::Impl::settle(Context& context, std::shared_ptr<const Message> message) {
    Backoff backoff(options_.retry_min, options_.retry_max);
    Context handling(context);
    handling.trace = TraceContext::start(world_);
    const Work work{.consumer = consumer_, .message = message};
    std::string reason; // once there is one, it is to be set aside
    for (int failures = 0;;) {
        const auto settled =
            co_await tenure_.transact(handling, [work, handler = handler_, reason, failures,
                                                 most = options_.parked_max](Transaction& transaction) {
                return settle_in(transaction, work, *handler, reason, failures, most);
            });
        if (settled) {
            note_settled(handling, *message, reason, *settled);
            co_return Result<void>();
        }
        co_await must(context.check());
        const Error& error = settled.error();
        if (inbox::is_outage(error) || !reason.empty()) {
            note_failure(handling, error);
        } else if (++failures >= options_.attempts_max || error.kind() == Kind::invalid) {
            reason = error.message(); // what does not match the contract will not do so the next time
            continue;
        } else {
            log_.warning(handling, "handling an event failed",
                         {{"topic", topic_}, {"consumer", consumer_}, {"reason", error.message()}});
        }
        co_await must(sleep_for(context, backoff.next(world_.random())));
    }
}

void ChannelConsumer::Impl::drop(const Context& context, std::uint64_t count, std::string_view why) {
    statistics_.dropped += count;
    dropped_counter_.add(count);
    if (std::exchange(dropped_in_a_row_, dropped_in_a_row_ + count) > 0) return;
    log_.error(context, "events heard on pub/sub are lost; a program that needs each of them writes to the stream",
               {{"topic", topic_}, {"reason", why}});
}

void ChannelConsumer::Impl::note_emptied(const Context& context) {
    if (const auto dropped = std::exchange(dropped_in_a_row_, 0); dropped > 0)
        log_.warning(context, "events heard on pub/sub are no longer lost", {{"topic", topic_}, {"lost", dropped}});
}

void ChannelConsumer::Impl::note_settled(const Context& context, const Message& message, const std::string& reason,
                                         bool kept) {
    if (std::exchange(outage_, false)) log_.info(context, "events come in again", {{"topic", topic_}});
    if (!kept) return drop(context, 1, "too many are set aside already; the last one: " + reason);
    if (reason.empty()) {
        ++statistics_.handled;
        handled_counter_.add();
        statistics_.last_error.clear();
        return;
    }
    ++statistics_.parked;
    parked_counter_.add();
    log_.error(context, "an event heard on pub/sub was set aside",
               {{"topic", topic_}, {"event_id", message.id}, {"reason", reason}});
}

void ChannelConsumer::Impl::note_failure(const Context& context, const Error& error) {
    statistics_.last_error = error.message();
    if (std::exchange(outage_, true)) return;
    log_.warning(context, "events on pub/sub are not heard or wait to be handled",
                 {{"topic", topic_}, {"consumer", consumer_}, {"reason", error.message()}});
}

ChannelConsumer::ChannelConsumer(World& world, Tenure& tenure, Bus& bus, Consumer::Source source, EventHandler handler,
                                 Telemetry& telemetry, Options options)
    : impl_(std::make_unique<Impl>(world, tenure, bus, std::move(source), std::move(handler), telemetry, options)) {}
ChannelConsumer::~ChannelConsumer() = default;

task<void> ChannelConsumer::run(Context& context) { co_await impl_->run(context); }

const ChannelConsumer::Statistics& ChannelConsumer::statistics() const { return impl_->statistics_; }

} // namespace flotilla
