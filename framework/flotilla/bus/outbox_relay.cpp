#include <algorithm>
#include <limits>
#include <map>

#include <flotilla/aio/backoff.hpp>
#include <flotilla/aio/event.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/inbox.hpp>
#include <flotilla/bus/outbox.hpp>
#include <flotilla/bus/outbox_store.hpp>
#include <flotilla/bus/redrive.hpp>
#include <flotilla/observe/age_gauge.hpp>

namespace flotilla {
namespace {

using namespace std::chrono_literals;
using outbox::Accepted;
using outbox::PartitionKey;

constexpr std::uint64_t kToTheEnd = std::numeric_limits<std::uint64_t>::max();
// A bus that lost its data while nothing was published is noticed after so long.
constexpr Duration kCompareEvery = 30s;
constexpr Duration kPruneEvery = 60s;
constexpr std::size_t kRequestsAtOnce = 16;

struct Range {
    std::uint64_t from = 0, to = kToTheEnd;
};

} // namespace

/// The rounds run in run() alone; the request listener beside it only leaves notes (redrives_, compare_) and wakes it.
struct OutboxRelay::Impl {
    Impl(World& world, Tenure& tenure, Bus& bus, std::string producer, Telemetry& telemetry, Options options);
    ~Impl() { waiting_gauge_.set(0); } // what waits is the next holder's to tell

    task<void> run(Context& context);
    task<void> publish_rounds(Context& context);
    task<Result<bool>> step(Context& context);
    task<Result<void>> load(Context& context);
    task<Result<void>> load_left(Context& context, PartitionKey key, outbox::Partition partition);
    task<Result<void>> compare_with_bus(Context& context);
    task<Result<void>> learn(Context& context, PartitionKey key);
    task<Result<void>> drive_again(Context& context);
    task<Result<void>> drive_range(Context& context, PartitionKey key, Range range);
    task<Result<void>> number_next(Context& context);
    task<Result<void>> publish_batch(Context& context);
    task<Result<void>> prune(Context& context);
    task<void> listen(Context& context);
    task<Result<void>> hear_requests(Context& context);
    void redrive(PartitionKey key, Range range);
    void accepted(const PartitionKey& key, std::uint64_t first, std::uint64_t last);
    task<Result<void>> measure(Context& context);
    Result<void> health() const;
    void note_arrival();
    void note_failure(const Context& context, const Error& error);
    void note_success(const Context& context);
    void wake_after(Duration duration) { timer_.arm(world_.monotonic() + duration); }

    World& world_;
    Tenure& tenure_;
    Database& database_;
    Bus& bus_;
    const std::string producer_;
    Logger log_;
    const Options options_;
    Gauge& waiting_gauge_;
    Counter& published_counter_;
    AgeGauge lag_;
    Statistics statistics_;

    Event wake_;
    Timer timer_;
    Backoff backoff_;
    bool loaded_ = false;
    bool compare_ = true;
    bool outage_ = false;
    Instant compare_at_{};
    Instant prune_at_{};
    std::map<PartitionKey, outbox::Partition> partitions_;
    std::shared_ptr<const outbox::KnownPartitions> known_ = std::make_shared<outbox::KnownPartitions>();
    std::map<PartitionKey, Range> redrives_;
    outbox::Backlog backlog_; // not numbered
    std::int64_t left_ = 0;   // numbered before this start, not yet accepted
    std::optional<Timestamp> left_since_;
    std::vector<Message> batch_;     // numbered, not yet accepted by the bus
    std::vector<Accepted> accepted_; // accepted by the bus, not yet marked
};

OutboxRelay::Impl::Impl(World& world, Tenure& tenure, Bus& bus, std::string producer, Telemetry& telemetry,
                        Options options)
    : world_(world), tenure_(tenure), database_(tenure.database()), bus_(bus), producer_(std::move(producer)),
      log_(telemetry.log), options_(options),
      waiting_gauge_(telemetry.metrics.gauge("flotilla_outbox_waiting", "Events not yet accepted by the bus")),
      published_counter_(telemetry.metrics.counter("flotilla_outbox_published_total",
                                                   "Events accepted by the bus, repeated ones included")),
      lag_(world, telemetry.metrics, "flotilla_outbox_lag_seconds",
           "Age of the oldest event not yet accepted by the bus"),
      timer_(
          world, [](void* wake) { static_cast<Event*>(wake)->notify(); }, &wake_),
      backoff_(options.retry_min, options.retry_max) {}

task<void> OutboxRelay::Impl::run(Context& context) {
    const auto signal = database_.on_signal("outbox", [this] { note_arrival(); });
    Scope scope(context);
    scope.spawn(listen(scope.context()));
    std::exception_ptr failure;
    try {
        co_await publish_rounds(context);
    } catch (...) {
        failure = std::current_exception();
    }
    timer_.disarm();
    scope.cancel(Error(Kind::cancelled, "the relay has ended"));
    co_await scope.join();
    if (failure) std::rethrow_exception(failure);
}

task<void> OutboxRelay::Impl::publish_rounds(Context& context) {
    while (!context.cancelled()) {
        const auto worked = co_await step(context);
        if (context.cancelled()) break;
        if (!worked) {
            note_failure(context, worked.error());
            compare_ = true; // the bus may come back without its data
        } else {
            note_success(context);
        }
        const bool more = worked && *worked;
        if (!more) wake_after(worked ? kCompareEvery : backoff_.next(world_.random()));
        // While the bus is down new events do not shorten the wait, but they are counted.
        do {
            if (const auto measured = co_await measure(context); !measured && !context.cancelled())
                note_failure(context, measured.error());
            if (more) break;
            if (const auto woken = co_await wake_.wait(context); !woken) break;
        } while (!worked && timer_.armed() && !context.cancelled());
    }
}

/// One round. True when there may be more to do at once.
task<Result<bool>> OutboxRelay::Impl::step(Context& context) {
    if (!loaded_) {
        co_await must(load(context));
        co_await must(measure(context)); // before the bus is asked anything: it may hang
    }
    if (compare_ || world_.monotonic() >= compare_at_) co_await must(compare_with_bus(context));
    co_await must(drive_again(context));
    left_ = 0;
    if (batch_.empty()) co_await must(number_next(context));
    const bool more = !batch_.empty() || !redrives_.empty();
    co_await must(publish_batch(context));
    if (world_.monotonic() >= prune_at_) co_await must(prune(context));
    co_return more || world_.monotonic() >= prune_at_;
}

/// What was numbered before a crash is published again under the same numbers.
task<Result<void>> OutboxRelay::Impl::load(Context& context) {
    auto partitions = co_await must(outbox::load_partitions(context, database_));
    for (auto& partition : partitions) {
        const PartitionKey key(partition.topic, partition.partition);
        if (partition.published_sequence + 1 < partition.next_sequence)
            co_await must(load_left(context, key, partition));
        partitions_[key] = std::move(partition);
    }
    loaded_ = true;
    co_return Result<void>();
}

task<Result<void>> OutboxRelay::Impl::load_left(Context& context, PartitionKey key, outbox::Partition partition) {
    const auto first = partition.published_sequence + 1;
    const auto rows = co_await must(outbox::load_rows(context, database_, key, first, partition.next_sequence - 1, 1));
    if (!rows.empty()) left_since_ = std::min(left_since_.value_or(rows[0].occurred_at), rows[0].occurred_at);
    left_ += static_cast<std::int64_t>(partition.next_sequence - first);
    redrive(std::move(key), {first});
    co_return Result<void>();
}

task<Result<void>> OutboxRelay::Impl::compare_with_bus(Context& context) {
    std::vector<PartitionKey> keys;
    for (const auto& [key, partition] : partitions_)
        keys.push_back(key);
    for (auto& key : keys)
        co_await must(learn(context, std::move(key)));
    compare_ = false;
    compare_at_ = world_.monotonic() + kCompareEvery;
    co_return Result<void>();
}

/// Asks the bus how far it has a partition: one that has less than it accepted lost data and is driven again.
task<Result<void>> OutboxRelay::Impl::learn(Context& context, PartitionKey key) {
    const auto last = co_await must(bus_.last_sequence(context, key.first, key.second, producer_));
    const auto partition = partitions_.find(key);
    if (partition != partitions_.end() && last < partition->second.published_sequence) {
        log_.warning(context, "the bus has lost events; publishing them again",
                     {{"topic", key.first},
                      {"partition", key.second},
                      {"from", last + 1},
                      {"to", partition->second.published_sequence}});
        redrive(key, {last + 1});
    }
    const auto next = partition == partitions_.end() ? 1 : partition->second.next_sequence;
    if (last >= next) {
        log_.warning(context, "the bus is ahead of this database; numbering goes on after it",
                     {{"topic", key.first}, {"partition", key.second}, {"next", next}, {"bus", last}});
    }
    if (const auto found = known_->find(key); found == known_->end() || found->second < last) {
        auto known = std::make_shared<outbox::KnownPartitions>(*known_);
        (*known)[std::move(key)] = last;
        known_ = std::move(known);
    }
    co_return Result<void>();
}

task<Result<void>> OutboxRelay::Impl::drive_again(Context& context) {
    while (!redrives_.empty()) {
        const auto [key, range] = *redrives_.begin();
        redrives_.erase(redrives_.begin());
        auto driven = co_await drive_range(context, key, range);
        if (!driven) {
            redrive(key, range);
            co_return driven;
        }
    }
    co_return Result<void>();
}

task<Result<void>> OutboxRelay::Impl::drive_range(Context& context, PartitionKey key, Range range) {
    const auto partition = partitions_.find(key);
    if (partition == partitions_.end()) co_return Result<void>(); // nothing was ever numbered
    // What is numbered and waits in batch_ is published from there: beyond it nothing may count as accepted before.
    const auto& known = partition->second;
    range.to = std::min(range.to, batch_.empty() ? known.next_sequence - 1 : known.published_sequence);
    for (auto from = range.from; from <= range.to;) {
        auto rows = co_await must(outbox::load_rows(context, database_, key, from, range.to, options_.batch));
        const auto first = rows.empty() ? range.to + 1 : rows.front().sequence;
        if (first > from) {
            log_.error(context, "events were asked for again that are no longer kept",
                       {{"topic", key.first}, {"partition", key.second}, {"from", from}, {"to", first - 1}});
        }
        if (rows.empty()) break;
        std::vector<Message> messages;
        for (auto last = from - 1; auto& row : rows) {
            messages.push_back(outbox::to_message(std::move(row), producer_));
            messages.back().follows = std::exchange(last, messages.back().sequence);
        }
        co_await must(bus_.publish(context, messages));
        published_counter_.add(messages.size());
        accepted(key, from, messages.back().sequence);
        from = messages.back().sequence + 1;
    }
    co_return Result<void>();
}

task<Result<void>> OutboxRelay::Impl::number_next(Context& context) {
    auto round = co_await must(tenure_.transact(
        context, [accepted = accepted_, known = known_, limit = options_.batch](Transaction& transaction) {
            return outbox::next_round(transaction, accepted, *known, limit);
        }));
    accepted_.clear();
    backlog_.numbered(round);
    for (auto& row : round.rows) {
        auto& partition = partitions_[{row.topic, row.partition}];
        partition.next_sequence = row.sequence + 1;
        batch_.push_back(outbox::to_message(std::move(row), producer_));
    }
    for (const auto& unknown : round.unknown) {
        co_await must(learn(context, {unknown.topic, unknown.partition}));
        wake_.notify(); // its rows can be numbered now
    }
    co_return Result<void>();
}

task<Result<void>> OutboxRelay::Impl::publish_batch(Context& context) {
    if (batch_.empty()) co_return Result<void>();
    if (!lag_.waits()) lag_.set(batch_.front().time);
    co_await must(bus_.publish(context, batch_));
    published_counter_.add(batch_.size());
    for (const auto& message : batch_)
        accepted({message.topic, message.partition}, message.sequence, message.sequence);
    batch_.clear();
    co_return Result<void>();
}

void OutboxRelay::Impl::accepted(const PartitionKey& key, std::uint64_t first, std::uint64_t last) {
    auto& published = partitions_[key].published_sequence;
    if (last <= published) return; // published again: marked before
    published = last;
    const auto same = std::ranges::find_if(accepted_, [&](const Accepted& range) {
        return range.topic == key.first && range.partition == key.second && first <= range.last + 1 &&
               range.first <= first;
    });
    if (same == accepted_.end()) {
        accepted_.push_back({key.first, key.second, first, last});
    } else {
        same->last = std::max(same->last, last);
    }
}

task<Result<void>> OutboxRelay::Impl::prune(Context& context) {
    const auto before = world_.now() - options_.keep;
    const auto removed = co_await must(
        tenure_.transact(context, [before](Transaction& transaction) { return outbox::prune(transaction, before); }));
    // A bounded number leaves at a time, and the next with the next round: more than can come.
    prune_at_ = world_.monotonic() + (removed == outbox::kPruneRows ? Duration::zero() : Duration(kPruneEvery));
    co_return Result<void>();
}

void OutboxRelay::Impl::redrive(PartitionKey key, Range range) {
    auto [place, added] = redrives_.try_emplace(std::move(key), range);
    if (added) return;
    place->second.from = std::min(place->second.from, range.from);
    place->second.to = std::max(place->second.to, range.to);
}

task<void> OutboxRelay::Impl::listen(Context& context) {
    Backoff backoff(options_.retry_min, options_.retry_max);
    while (!context.cancelled()) {
        const auto began = world_.monotonic();
        const auto heard = co_await hear_requests(context);
        if (context.cancelled()) break;
        if (world_.monotonic() - began > options_.retry_max) backoff.reset();
        if (!heard) {
            // The connection broke, or the bus lost its data: the rounds find out which.
            compare_ = true;
            wake_.notify();
        }
        if (const auto slept = co_await sleep_for(context, backoff.next(world_.random())); !slept) break;
    }
}

task<Result<void>> OutboxRelay::Impl::hear_requests(Context& context) {
    const auto subscription =
        co_await must(bus_.subscribe(context, redrive_topic(producer_), 0, std::string(kRedriveGroup), producer_));
    for (;;) {
        const auto deliveries = co_await must(subscription->receive(context, kRequestsAtOnce));
        std::vector<std::string> tokens;
        for (const auto& delivery : deliveries) {
            tokens.push_back(delivery.token);
            auto request = json::parse<RedriveRequest>(delivery.message.payload);
            if (!request) {
                log_.warning(context, "a request to publish again is not understood",
                             {{"from", delivery.message.producer}, {"reason", request.error().message()}});
                continue;
            }
            log_.info(
                context, "publishing again for a consumer that misses events",
                {{"consumer", delivery.message.producer}, {"topic", request->topic}, {"from", request->from_sequence}});
            redrive({request->topic, request->partition},
                    {std::max<std::uint64_t>(request->from_sequence, 1), request->to_sequence.value_or(kToTheEnd)});
        }
        co_await must(subscription->acknowledge(context, tokens));
        wake_.notify();
    }
}

task<Result<void>> OutboxRelay::Impl::measure(Context& context) {
    const auto arrived = co_await must(outbox::count_waiting(context, database_, backlog_.counted_to()));
    backlog_.counted(arrived);
    statistics_.waiting = backlog_.waiting() + left_ + static_cast<std::int64_t>(batch_.size());
    waiting_gauge_.set(statistics_.waiting);
    std::optional<Timestamp> oldest = arrived.oldest;
    if (!batch_.empty()) oldest = batch_.front().time;
    if (left_ > 0 && left_since_) oldest = left_since_;
    lag_.set(oldest);
    co_return Result<void>();
}

/// Events were committed. A round may hang in the bus: until the next count they must be in sight.
void OutboxRelay::Impl::note_arrival() {
    if (!lag_.waits()) lag_.set(world_.now());
    waiting_gauge_.set(++statistics_.waiting);
    wake_.notify();
}

Result<void> OutboxRelay::Impl::health() const {
    const auto age = lag_.age();
    const bool late = age > options_.lag_max;
    if (!late && statistics_.last_error.empty()) return {};
    auto what = std::to_string(statistics_.waiting) + " events wait";
    if (late) what += ", the oldest for " + in_seconds(age);
    if (!statistics_.last_error.empty()) what += ": " + statistics_.last_error;
    return Error(Kind::unavailable, std::move(what));
}

void OutboxRelay::Impl::note_failure(const Context& context, const Error& error) {
    statistics_.last_error = error.message();
    if (std::exchange(outage_, true)) return;
    log_.warning(context, "events wait in the outbox until they can be published", {{"reason", error.message()}});
}

void OutboxRelay::Impl::note_success(const Context& context) {
    backoff_.reset();
    statistics_.last_error.clear();
    if (std::exchange(outage_, false)) log_.info(context, "events flow again");
}

OutboxRelay::OutboxRelay(World& world, Tenure& tenure, Bus& bus, std::string producer, Telemetry& telemetry,
                         Options options)
    : impl_(std::make_unique<Impl>(world, tenure, bus, std::move(producer), telemetry, options)) {}
OutboxRelay::~OutboxRelay() = default;

task<void> OutboxRelay::run(Context& context) { co_await impl_->run(context); }

void OutboxRelay::redrive(std::string topic, std::uint32_t partition, std::uint64_t from_sequence) {
    impl_->redrive({std::move(topic), partition}, {std::max<std::uint64_t>(from_sequence, 1)});
    impl_->wake_.notify();
}

const OutboxRelay::Statistics& OutboxRelay::statistics() const { return impl_->statistics_; }
Result<void> OutboxRelay::health() const { return impl_->health(); }

} // namespace flotilla
