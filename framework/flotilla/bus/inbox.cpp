#include <flotilla/bus/inbox.hpp>

#include <array>
#include <map>
#include <set>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/bus/inbox_gaps.hpp>
#include <flotilla/bus/inbox_store.hpp>
#include <flotilla/bus/redrive.hpp>
#include <flotilla/observe/age_gauge.hpp>

namespace flotilla {
namespace {

using inbox::Gaps;
using inbox::Held;
using inbox::is_outage;
using inbox::Outcome;
using inbox::Verdict;
using inbox::Work;

constexpr std::int64_t kReplayMax = 10'000; // parked messages in memory, at a start

} // namespace

struct Consumer::Impl {
    Impl(World& world, Tenure& tenure, Bus& bus, Source source, EventHandler handler, Telemetry& telemetry,
         Options options);

    Labels labels() const { return {{"consumer", consumer_}, {"topic", topic_}}; }
    Labels partition_labels() const;
    task<void> run(Context& context);
    task<Result<void>> consume_batch(Context& context);
    task<Result<std::vector<Delivery>>> receive(Context& context);
    task<Result<void>> take_all(Context& context, std::vector<Delivery> deliveries);
    bool all_in_turn(std::span<const Delivery> deliveries) const;
    task<Result<Outcome>> try_once(Context& context, Work work);
    task<Result<void>> take(Context& context, std::shared_ptr<const Message> message, std::string token);
    bool note_outcome(const Context& context, const Message& message, const Outcome& outcome);
    task<Result<void>> advance(Context& context, std::shared_ptr<const Message> message, std::string token);
    task<Result<void>> drain(Context& context, std::string producer);
    task<Result<void>> take_held(Context& context, Held held);
    task<Result<Outcome>> settle(Context& context, std::shared_ptr<const Message> message);
    task<Result<Outcome>> park(Context& context, Work work, std::string reason, int attempts);
    task<Result<void>> give_back(Context& context, std::string token);
    task<Result<void>> acknowledge(Context& context);
    task<Result<void>> attend_gaps(Context& context);
    task<Result<void>> replay_parked(Context& context);
    task<Result<void>> replay(Context& context, inbox::Parked parked, std::set<std::string>& failed);
    task<Result<void>> ask(Context& context, std::string producer, std::uint64_t to_sequence);
    void show_lag(std::optional<Timestamp> in_hand);
    Result<void> health() const;
    void count(const Message& message, Verdict verdict);
    void note_attempt(const Context& context, const Error& error);
    void note_failure(const Context& context, const Error& error);

    World& world_;
    Tenure& tenure_;
    Bus& bus_;
    const std::string topic_;
    const std::uint32_t partition_;
    const std::string consumer_;
    const std::string instance_;
    const std::shared_ptr<const EventHandler> handler_; // shared with transactions that outlive a cancelled wait
    Logger log_;
    const Options options_;
    Counter& handled_counter_;
    Counter& duplicates_counter_;
    Counter& gaps_counter_;
    Counter& parked_counter_;
    Counter& replayed_counter_;
    Histogram& age_;
    AgeGauge lag_, oldest_parked_;
    Statistics statistics_;

    Backoff backoff_;
    bool outage_ = false;
    bool parked_tried_ = false; // since this start
    std::unique_ptr<Subscription> subscription_;
    std::vector<std::string> done_;                    // to be acknowledged
    std::map<std::string, std::uint64_t> marks_;       // by producer, as far as known: at or below is a duplicate
    std::map<std::string, std::uint64_t> over_gap_at_; // by producer: this sequence need not wait for earlier ones
    Gaps gaps_;
};

Consumer::Impl::Impl(World& world, Tenure& tenure, Bus& bus, Source source, EventHandler handler, Telemetry& telemetry,
                     Options options)
    : world_(world), tenure_(tenure), bus_(bus), topic_(std::move(source.topic)), partition_(source.partition),
      consumer_(std::move(source.consumer)), instance_(std::move(source.instance)),
      handler_(std::make_shared<EventHandler>(std::move(handler))), log_(telemetry.log), options_(options),
      handled_counter_(telemetry.metrics.counter("flotilla_inbox_handled_total", "Events handled", labels())),
      duplicates_counter_(telemetry.metrics.counter("flotilla_inbox_duplicates_total",
                                                    "Events dropped because they were handled before", labels())),
      gaps_counter_(telemetry.metrics.counter("flotilla_inbox_gaps_total", "Times that events were missing in between",
                                              labels())),
      parked_counter_(telemetry.metrics.counter("flotilla_inbox_parked_total",
                                                "Events set aside because their handler keeps failing", labels())),
      replayed_counter_(telemetry.metrics.counter("flotilla_inbox_replayed_total",
                                                  "Events set aside and handled at a later start", labels())),
      age_(telemetry.metrics.histogram("flotilla_inbox_event_age_seconds",
                                       "From the event's transaction to the end of its handling", labels())),
      lag_(world, telemetry.metrics, "flotilla_inbox_lag_seconds",
           "Age of the event that is handled next, of those that were received", partition_labels()),
      oldest_parked_(world, telemetry.metrics, "flotilla_inbox_oldest_parked_seconds",
                     "How long the event that was set aside first is set aside", partition_labels()),
      backoff_(options.retry_min, options.retry_max), gaps_(options.gap_wait_max) {}

Labels Consumer::Impl::partition_labels() const {
    return {{"consumer", consumer_}, {"topic", topic_}, {"partition", std::to_string(partition_)}};
}

task<void> Consumer::Impl::run(Context& context) {
    while (!context.cancelled()) {
        const auto consumed = co_await consume_batch(context);
        if (consumed) {
            backoff_.reset();
            if (std::exchange(outage_, false)) log_.info(context, "events come in again", {{"topic", topic_}});
            continue;
        }
        if (context.cancelled()) break;
        note_failure(context, consumed.error());
        if (const auto slept = co_await sleep_for(context, backoff_.next(world_.random())); !slept) break;
    }
    subscription_.reset();
}

/// Fails only between messages, or when cancelled: what was received is settled or held, nothing is forgotten.
task<Result<void>> Consumer::Impl::consume_batch(Context& context) {
    if (!subscription_)
        subscription_ = co_await must(bus_.subscribe(context, topic_, partition_, consumer_, instance_));
    if (!parked_tried_) co_await must(replay_parked(context));
    co_await must(acknowledge(context));
    co_await must(attend_gaps(context));
    auto deliveries = co_await must(receive(context));
    co_await must(take_all(context, std::move(deliveries)));
    show_lag(std::nullopt);
    co_return co_await acknowledge(context);
}

/// Events of a partition come in order: the one in hand is the oldest, unless earlier ones are held back.
void Consumer::Impl::show_lag(std::optional<Timestamp> in_hand) {
    for (const auto& [producer, gap] : gaps_.by_producer()) {
        const auto& held = gap.held.begin()->second.message;
        if (held && (!in_hand || held->time < *in_hand)) in_hand = held->time;
    }
    lag_.set(in_hand);
}

Result<void> Consumer::Impl::health() const {
    const auto waits = lag_.age();
    const auto parked = oldest_parked_.age();
    std::string what;
    if (waits > options_.lag_max) {
        what = "an event of " + topic_ + " waits to be handled, " + in_seconds(waits) + " old";
        if (!statistics_.last_error.empty()) what += ": " + statistics_.last_error;
    }
    if (parked > options_.lag_max)
        what += (what.empty() ? "" : "; ") + ("an event of " + topic_ + " is parked for " + in_seconds(parked));
    if (what.empty()) return {};
    return Error(Kind::unavailable, std::move(what));
}

/// While events are missing it comes back in time to ask for them or to give up.
task<Result<std::vector<Delivery>>> Consumer::Impl::receive(Context& context) {
    if (gaps_.empty()) co_return co_await subscription_->receive(context, options_.batch);
    Context bounded(context, Deadline{gaps_.due()});
    auto deliveries = co_await subscription_->receive(bounded, options_.batch);
    if (!deliveries && bounded.cancelled() && !context.cancelled()) co_return std::vector<Delivery>();
    co_return deliveries;
}

/// Events that come in turn are handled each in its own transaction, all handed in at once: they share commits. One
/// that fails makes the later ones of its producer find a gap, which changes nothing; these are then taken one by one.
task<Result<void>> Consumer::Impl::take_all(Context& context, std::vector<Delivery> deliveries) {
    const bool together = deliveries.size() > 1 && all_in_turn(deliveries);
    std::vector<std::shared_ptr<const Message>> messages;
    for (auto& delivery : deliveries)
        messages.push_back(std::make_shared<const Message>(std::move(delivery.message)));
    std::vector<Result<Outcome>> outcomes;
    if (together) {
        show_lag(messages.front()->time);
        std::vector<task<Result<Outcome>>> tries;
        for (const auto& message : messages)
            tries.push_back(try_once(context, {.consumer = consumer_, .message = message}));
        outcomes = co_await all_settled(context, std::move(tries));
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const bool settled = together && outcomes[i] && outcomes[i]->verdict != Verdict::gap;
        if (settled) {
            note_outcome(context, *messages[i], *outcomes[i]);
            done_.push_back(std::move(deliveries[i].token));
            continue;
        }
        show_lag(messages[i]->time);
        co_await must(take(context, std::move(messages[i]), std::move(deliveries[i].token)));
    }
    co_return Result<void>();
}

/// Of producers that are known, numbered, and nothing is missing: no event needs another's outcome but by the mark.
bool Consumer::Impl::all_in_turn(std::span<const Delivery> deliveries) const {
    return gaps_.empty() && over_gap_at_.empty() && std::ranges::all_of(deliveries, [this](const Delivery& delivery) {
               return delivery.message.sequence != 0 && marks_.contains(delivery.message.producer);
           });
}

task<Result<Outcome>> Consumer::Impl::try_once(Context& context, Work work) {
    Context handling(context);
    if (auto trace = TraceContext::parse(work.message->traceparent); trace.valid())
        handling.trace = trace.child(world_);
    co_return co_await tenure_.transact(handling, [work, handler = handler_](Transaction& transaction) {
        return inbox::handle(transaction, work, *handler);
    });
}

task<Result<void>> Consumer::Impl::take(Context& context, std::shared_ptr<const Message> message, std::string token) {
    const auto mark = marks_.find(message->producer);
    if (message->sequence != 0 && mark != marks_.end() && message->sequence <= mark->second) {
        count(*message, Verdict::duplicate);
        done_.push_back(std::move(token));
        co_return Result<void>();
    }
    auto producer = message->producer;
    co_await must(advance(context, std::move(message), std::move(token)));
    co_return co_await drain(context, std::move(producer));
}

/// Handles a message, or holds it when earlier ones are missing.
task<Result<void>> Consumer::Impl::advance(Context& context, std::shared_ptr<const Message> message,
                                           std::string token) {
    const auto outcome = co_await must(settle(context, message));
    if (note_outcome(context, *message, outcome)) {
        done_.push_back(std::move(token));
        co_return Result<void>();
    }
    const auto held = gaps_.hold(world_.monotonic(), message, token);
    if (held == Gaps::Hold::opened) count(*message, Verdict::gap);
    if (held == Gaps::Hold::already) {
        count(*message, Verdict::duplicate);
        done_.push_back(std::move(token));
    }
    co_return Result<void>();
}

/// Whether the message is settled: false when earlier ones are missing.
bool Consumer::Impl::note_outcome(const Context& context, const Message& message, const Outcome& outcome) {
    if (outcome.verdict == Verdict::handled && message.follows && *message.follows + 1 < message.sequence) {
        log_.error(context, "events are missing and their producer no longer keeps them; going on without them",
                   {{"topic", topic_},
                    {"producer", message.producer},
                    {"from", marks_[message.producer] + 1},
                    {"to", message.sequence - 1}});
    }
    if (message.sequence != 0 && outcome.mark > 0) {
        marks_[message.producer] = outcome.mark;
        std::erase_if(over_gap_at_,
                      [&](const auto& each) { return each.first == message.producer && each.second <= outcome.mark; });
    }
    if (outcome.verdict == Verdict::gap) return false;
    count(message, outcome.verdict);
    return true;
}

/// Handles what was held and is next now.
task<Result<void>> Consumer::Impl::drain(Context& context, std::string producer) {
    while (auto held = gaps_.take(producer, marks_[producer], world_.monotonic())) {
        co_await must(take_held(context, std::move(*held)));
    }
    co_return Result<void>();
}

task<Result<void>> Consumer::Impl::take_held(Context& context, Held held) {
    if (!held.message) co_return co_await give_back(context, std::move(held.token));
    co_return co_await advance(context, std::move(held.message), std::move(held.token));
}

/// Tries until the message is handled, known as a duplicate, recognised as out of turn, or parked.
task<Result<Outcome>> Consumer::Impl::settle(Context& context, std::shared_ptr<const Message> message) {
    Backoff backoff(options_.retry_min, options_.retry_max);
    const auto over = over_gap_at_.find(message->producer);
    const Work work{.consumer = consumer_,
                    .message = message,
                    .over_gap = over != over_gap_at_.end() && over->second == message->sequence,
                    .may_start = !gaps_.has(message->producer)};
    for (int failures = 0;;) {
        auto outcome = co_await try_once(context, work);
        if (outcome) co_return outcome;
        co_await must(context.check());
        const Error& error = outcome.error();
        Context handling(context);
        if (auto trace = TraceContext::parse(message->traceparent); trace.valid()) handling.trace = trace.child(world_);
        if (is_outage(error)) {
            note_failure(handling, error);
        } else if (note_attempt(handling, error); ++failures >= options_.attempts_max) {
            co_return co_await park(handling, work, error.message(), failures);
        }
        // The wait may be long: what is done already need not wait with it. What fails stays in done_.
        if (const auto acknowledged = co_await acknowledge(context); !acknowledged)
            note_failure(context, acknowledged.error());
        co_await must(sleep_for(context, backoff.next(world_.random())));
    }
}

task<Result<Outcome>> Consumer::Impl::park(Context& context, Work work, std::string reason, int attempts) {
    Backoff backoff(options_.retry_min, options_.retry_max);
    for (;;) {
        auto outcome = co_await tenure_.transact(context, [work, reason, attempts](Transaction& transaction) {
            return inbox::park(transaction, work, reason, attempts);
        });
        if (outcome) {
            log_.error(
                context, "an event was set aside: its handler keeps failing",
                {{"topic", topic_}, {"event_id", work.message->id}, {"key", work.message->key}, {"reason", reason}});
            co_return outcome;
        }
        co_await must(context.check());
        note_failure(context, outcome.error());
        co_await must(sleep_for(context, backoff.next(world_.random())));
    }
}

/// What was set aside before this start is tried once more, each key's oldest first: the program may have been mended.
/// Before anything is received, so that later events of a key find it done.
task<Result<void>> Consumer::Impl::replay_parked(Context& context) {
    auto parked =
        co_await must(inbox::load_parked(context, tenure_.database(), consumer_, topic_, partition_, kReplayMax));
    std::set<std::string> failed;
    for (auto& each : parked) {
        if (failed.contains(each.key)) continue;
        co_await must(replay(context, std::move(each), failed));
    }
    oldest_parked_.set(co_await must(inbox::parked_since(context, tenure_.database(), consumer_, topic_, partition_)));
    parked_tried_ = true;
    co_return Result<void>();
}

task<Result<void>> Consumer::Impl::replay(Context& context, inbox::Parked parked, std::set<std::string>& failed) {
    Result<void> done;
    if (auto message = json::parse<Message>(parked.message)) {
        Context handling(context);
        if (auto trace = TraceContext::parse(message->traceparent); trace.valid()) handling.trace = trace.child(world_);
        done = co_await tenure_.transact(
            handling, [id = parked.id, message = *message, handler = handler_](Transaction& transaction) {
                return inbox::replay(transaction, id, message, *handler);
            });
    } else {
        done = std::move(message.error());
    }
    co_await must(context.check());
    if (!done && is_outage(done.error())) co_return done;
    if (done) {
        replayed_counter_.add();
        log_.info(context, "an event that was set aside is handled", {{"topic", topic_}, {"key", parked.key}});
    } else {
        log_.error(context, "an event that was set aside fails again",
                   {{"topic", topic_}, {"key", parked.key}, {"reason", done.error().message()}});
        if (!parked.key.empty()) failed.insert(std::move(parked.key));
    }
    co_return Result<void>();
}

/// Until it succeeds: a delivery that is neither held nor given back would be forgotten.
task<Result<void>> Consumer::Impl::give_back(Context& context, std::string token) {
    Backoff backoff(options_.retry_min, options_.retry_max);
    for (;;) {
        const auto given_back = co_await subscription_->give_back(context, token, Duration::zero());
        if (given_back || context.cancelled()) co_return given_back;
        note_failure(context, given_back.error());
        co_await must(sleep_for(context, backoff.next(world_.random())));
    }
}

task<Result<void>> Consumer::Impl::acknowledge(Context& context) {
    if (done_.empty()) co_return Result<void>();
    co_await must(subscription_->acknowledge(context, done_));
    done_.clear();
    co_return Result<void>();
}

task<Result<void>> Consumer::Impl::attend_gaps(Context& context) {
    std::vector<std::string> producers;
    for (const auto& [producer, gap] : gaps_.by_producer())
        producers.push_back(producer);
    for (const auto& producer : producers) {
        const auto gap = gaps_.by_producer().find(producer);
        const auto now = world_.monotonic();
        if (now >= gap->second.give_up_at) {
            auto [sequence, held] = gaps_.give_up(producer, now);
            log_.error(
                context, "events are missing and their producer does not answer; going on without them",
                {{"topic", topic_}, {"producer", producer}, {"from", marks_[producer] + 1}, {"to", sequence - 1}});
            over_gap_at_[producer] = sequence;
            co_await must(take_held(context, std::move(held)));
            co_await must(drain(context, producer));
        } else if (now >= gap->second.ask_at) {
            Gaps::asked(gap->second, now);
            co_await must(ask(context, producer, gap->second.held.begin()->first));
        }
    }
    co_return Result<void>();
}

task<Result<void>> Consumer::Impl::ask(Context& context, std::string producer, std::uint64_t to_sequence) {
    const RedriveRequest request{topic_, partition_, marks_[producer] + 1, to_sequence};
    log_.warning(context, "events are missing; asking their producer to publish them again",
                 {{"topic", topic_}, {"producer", producer}, {"from", request.from_sequence}, {"to", to_sequence - 1}});
    const std::array messages{redrive_message(world_, producer, consumer_, request)};
    co_return co_await bus_.publish(context, messages);
}

void Consumer::Impl::count(const Message& message, Verdict verdict) {
    switch (verdict) {
    case Verdict::handled:
        ++statistics_.handled;
        handled_counter_.add();
        age_.observe(world_.now() - message.time);
        statistics_.last_error.clear();
        break;
    case Verdict::duplicate:
        ++statistics_.duplicates;
        duplicates_counter_.add();
        break;
    case Verdict::gap:
        ++statistics_.gaps;
        gaps_counter_.add();
        break;
    case Verdict::parked:
        ++statistics_.parked;
        parked_counter_.add();
        if (!oldest_parked_.waits()) oldest_parked_.set(world_.now());
        break;
    }
}

void Consumer::Impl::note_attempt(const Context& context, const Error& error) {
    statistics_.last_error = error.message();
    log_.warning(context, "handling an event failed",
                 {{"topic", topic_}, {"consumer", consumer_}, {"reason", error.message()}});
}

void Consumer::Impl::note_failure(const Context& context, const Error& error) {
    statistics_.last_error = error.message();
    if (std::exchange(outage_, true)) return;
    log_.warning(context, "events wait to be handled",
                 {{"topic", topic_}, {"consumer", consumer_}, {"reason", error.message()}});
}

Consumer::Consumer(World& world, Tenure& tenure, Bus& bus, Source source, EventHandler handler, Telemetry& telemetry,
                   Options options)
    : impl_(std::make_unique<Impl>(world, tenure, bus, std::move(source), std::move(handler), telemetry, options)) {}
Consumer::~Consumer() = default;

task<void> Consumer::run(Context& context) { co_await impl_->run(context); }

const Consumer::Statistics& Consumer::statistics() const { return impl_->statistics_; }
Result<void> Consumer::health() const { return impl_->health(); }

} // namespace flotilla
