#include <flotilla/service/database_work.hpp>

#include <algorithm>
#include <stdexcept>

#include <flotilla/aio/scope.hpp>
#include <flotilla/bus/channel_consumer.hpp>
#include <flotilla/bus/outbox.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/store/idempotency.hpp>
#include <flotilla/store/projection_runner.hpp>

namespace flotilla {
namespace {

constexpr std::string_view kRole = "database";
constexpr Duration kPruneEvery = std::chrono::minutes(10);
constexpr Duration kKeepResponses = std::chrono::hours(24);

/// Removes recorded responses that no repeated request is answered with any more.
class ResponsePruning final : public RoleWork {
public:
    ResponsePruning(Tenure& tenure, Logger log) : tenure_(tenure), log_(std::move(log)) {}

    task<void> run(Context& context) override {
        do {
            auto forgotten = co_await forget_recorded_responses(context, tenure_, kKeepResponses);
            if (!forgotten && !context.cancelled()) {
                log_.warning(context, "could not prune idempotency records", {{"error", forgotten.error().message()}});
            }
        } while (co_await sleep_for(context, kPruneEvery));
    }

private:
    Tenure& tenure_;
    Logger log_;
};

} // namespace

void DatabaseDuties::subscribe(std::string_view service, TopicUse topic, EventHandler handler, std::string_view name) {
    std::string consumer(service);
    if (!name.empty()) consumer.append(".").append(name);
    const bool taken = std::ranges::any_of(subscriptions, [&](const Subscription& each) {
        return each.topic.topic == topic.topic && each.consumer == consumer;
    });
    if (taken) {
        throw std::logic_error("two handlers of " + std::string(topic.topic) + " are both the consumer " + consumer +
                               ": give each further handler of a topic a name of its own, which stays for ever");
    }
    subscriptions.push_back({topic, std::move(handler), std::move(consumer)});
}

void DatabaseDuties::follow(std::span<const EventFollower* const> versions) {
    const EventFollower* before = nullptr;
    for (const auto* version : versions) {
        const auto name = std::string(version->name);
        const bool in_order =
            before == nullptr || (before->name == version->name && before->version < version->version);
        if (!in_order)
            throw std::logic_error("the versions of the projection " + name +
                                   " are given together, the newest one last");
        const bool taken = std::ranges::any_of(
            followers, [&](const Follower& each) { return before == nullptr && each.follower->name == version->name; });
        if (taken) throw std::logic_error("two projections or subscriptions are both called " + name);
        followers.push_back({version, version == versions.back()});
        before = version;
    }
}

DatabaseWork::DatabaseWork(World& world, Database& database, Bus& bus, Telemetry& telemetry, Options options,
                           DatabaseDuties duties)
    : world_(world), bus_(bus), telemetry_(telemetry), options_(std::move(options)),
      role_(world, database, std::string(kRole), options_.instance, telemetry, options_.role) {
    add_relay();
    add_pruning();
    if (!duties.jobs.empty()) add_jobs(std::move(duties.jobs));
    for (const auto& follower : duties.followers)
        add_follower(follower);
    for (auto& subscription : duties.subscriptions)
        add_consumers(std::move(subscription));
    for (auto& part : duties.parts)
        add(std::move(part));
}

DatabaseWork::~DatabaseWork() = default;

void DatabaseWork::add_relay() {
    add({"the outbox relay", "outbox", [this](Tenure& tenure) {
             return std::make_unique<OutboxRelay>(world_, tenure, bus_, options_.service, telemetry_,
                                                  OutboxRelay::Options{.lag_max = options_.lag_max});
         }});
}

void DatabaseWork::add_pruning() {
    add({"the pruning of idempotency records", "",
         [this](Tenure& tenure) { return std::make_unique<ResponsePruning>(tenure, telemetry_.log); }});
}

void DatabaseWork::add_jobs(JobRunner::Handlers handlers) {
    add({"the job runner", "jobs", [this, handlers = std::move(handlers)](Tenure& tenure) {
             return std::make_unique<JobRunner>(world_, tenure, handlers, telemetry_,
                                                JobRunner::Options{.lag_max = options_.lag_max});
         }});
}

void DatabaseWork::add_follower(DatabaseDuties::Follower follower) {
    const auto& [of, newest] = follower;
    const bool projection = of->version > 0;
    auto name = (projection ? "the projection " : "the subscription ") + std::string(of->name);
    if (projection) name += " " + std::to_string(of->version);
    add({std::move(name), projection ? "projections" : "subscriptions", [this, follower](Tenure& tenure) {
             return std::make_unique<ProjectionRunner>(world_, tenure, *follower.follower, follower.newest, telemetry_,
                                                       ProjectionRunner::Options{.lag_max = options_.lag_max});
         }});
}

void DatabaseWork::add_consumers(DatabaseDuties::Subscription subscription) {
    const Consumer::Source source{.topic = std::string(subscription.topic.topic),
                                  .consumer = std::move(subscription.consumer),
                                  .instance = options_.instance};
    for (std::uint32_t partition = 0; partition < subscription.topic.partitions; ++partition) {
        auto begin = [this, source, partition, handler = subscription.handler](Tenure& tenure) {
            auto own = source;
            own.partition = partition;
            return std::make_unique<Consumer>(world_, tenure, bus_, std::move(own), handler, telemetry_,
                                              Consumer::Options{.lag_max = options_.lag_max});
        };
        add({"the consumer " + source.consumer + " of " + source.topic, "inbox", std::move(begin)});
    }
    if (!subscription.topic.pubsub) return;
    auto begin = [this, source, handler = std::move(subscription.handler)](Tenure& tenure) {
        return std::make_unique<ChannelConsumer>(world_, tenure, bus_, source, handler, telemetry_,
                                                 ChannelConsumer::Options{});
    };
    add({"the consumer " + source.consumer + " of the channel " + source.topic, "", std::move(begin)});
}

task<void> DatabaseWork::run(Context& context) {
    return role_.run(context, [this](Context& held, Tenure& tenure) { return work(held, tenure); });
}

task<void> DatabaseWork::work(Context& context, Tenure& tenure) {
    Scope scope(context);
    for (auto& part : parts_) {
        part.running = part.begin(tenure);
        scope.spawn(run_part(scope, part));
    }
    std::exception_ptr bug;
    try {
        co_await scope.join();
    } catch (...) {
        bug = std::current_exception();
    }
    for (auto& part : parts_)
        part.running.reset();
    if (bug) std::rethrow_exception(bug);
}

/// Without one of its parts the work would look done and not be: a bug in one ends all of it.
task<void> DatabaseWork::run_part(Scope& scope, Part& part) {
    std::string why = "no std::exception";
    try {
        co_return co_await part.running->run(scope.context());
    } catch (const std::exception& exception) {
        why = exception.what();
    } catch (...) { // told below
    }
    // As at any end of the host: what runs beside it did nothing wrong.
    scope.cancel(Error(Kind::unavailable, part.name + " ended with a bug"));
    throw std::runtime_error(part.name + ": " + why);
}

void DatabaseWork::add_checks(HealthChecks& checks) {
    checks.show("role", [this] { return role_.state(); });
    checks.add("bus", [this] { return bus_.health(); }, false);
    std::vector<std::string> added;
    for (const auto& part : parts_) {
        if (part.check.empty() || std::ranges::find(added, part.check) != added.end()) continue;
        added.push_back(part.check);
        checks.add(part.check, [this, check = part.check] { return health(check); }, false);
    }
}

Result<void> DatabaseWork::health(std::string_view check) const {
    if (auto looked_after = role_.health(); !looked_after) return looked_after;
    std::string what;
    for (const auto& part : parts_) {
        if (part.check != check || !part.running) continue;
        const auto fine = part.running->health();
        if (!fine) what += (what.empty() ? "" : "; ") + fine.error().message();
    }
    if (what.empty()) return {};
    return Error(Kind::unavailable, std::move(what));
}

} // namespace flotilla
