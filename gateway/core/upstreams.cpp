#include "gateway/core/upstreams.hpp"

#include <algorithm>
#include <array>

#include <flotilla/aio/time_spent.hpp>

namespace flotilla::gateway {
namespace {

constexpr unsigned kFailedExchangesMax = 3;
constexpr Duration kRetryAfter = std::chrono::seconds(1);

} // namespace

Error upstream_failed(const Context& context, const std::string& service, const Error& why) {
    if (context.cancelled()) {
        if (context.reason().kind() != Kind::deadline_exceeded) return context.reason();
        return Error(Kind::deadline_exceeded, service + " did not answer in the time this request has");
    }
    const auto& code = why.code();
    if (code == "bad_response" || code == "response_head_too_large")
        return Error(Kind::bad_gateway, "upstream_failed", "the answer of " + service + " is not valid HTTP/1.1");
    if (code == "response_cut")
        return Error(Kind::bad_gateway, "upstream_failed", "the answer of " + service + " broke off");
    return Error(Kind::bad_gateway, "upstream_failed", "the connection to " + service + " ended before it answered");
}

Upstream::Upstream(std::string service, Metrics& metrics)
    : retries(metrics.counter("gateway_upstream_retries_total",
                              "Requests sent again to another instance or connection.", {{"upstream", service}})),
      service_(std::move(service)), metrics_(metrics) {}

UpstreamInstancePtr Upstream::pick(Instant now, const std::vector<UpstreamInstancePtr>& tried, Use use) {
    const auto count = instances_.size();
    if (count == 0) return nullptr;
    const auto start = next_++;
    const auto ahead = [use](const UpstreamInstance& instance) -> std::size_t {
        if (use == Use::whole || instance.uploads.available() > 0) return 0;
        return 1 + instance.uploads.waiting();
    };
    UpstreamInstancePtr best;
    std::pair<bool, std::size_t> best_rank;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& instance = instances_[(start + i) % count];
        if (!tried.empty() && std::ranges::find(tried, instance) != tried.end()) continue;
        const std::pair rank(instance->penalised_until > now, ahead(*instance));
        if (rank == std::pair(false, std::size_t{0})) return instance;
        if (best && rank >= best_rank) continue;
        best = instance;
        best_rank = rank;
    }
    return best;
}

void Upstream::observe(int status, Duration duration) {
    auto found = std::ranges::find(durations_, status, &std::pair<int, Histogram*>::first);
    if (found == durations_.end()) {
        auto& histogram =
            metrics_.histogram("http_client_request_duration_seconds", "Time until an upstream's response began.",
                               {{"upstream", service_}, {"http_response_status_code", std::to_string(status)}});
        found = durations_.insert(durations_.end(), {status, &histogram});
    }
    found->second->observe(duration);
}

void Upstream::count(ByReason& counters, std::string_view name, std::string_view help, const Error& error) {
    auto found = std::ranges::find(counters, error.code(), &std::pair<std::string, Counter*>::first);
    if (found == counters.end()) {
        auto& counter = metrics_.counter(name, help, {{"upstream", service_}, {"reason", error.code()}});
        found = counters.insert(counters.end(), {error.code(), &counter});
    }
    found->second->add();
}

void Upstream::count_connect_failure(const Error& error) {
    count(connect_failures_, "gateway_upstream_connect_failures_total", "Instances that could not be connected to.",
          error);
}

void Upstream::count_broken_exchange(const Error& error) {
    count(broken_exchanges_, "gateway_upstream_broken_exchanges_total", "Exchanges that ended without their answer.",
          error);
}

Upstreams::Upstreams(World& world, http::Client& client, Registry& registry, Telemetry& telemetry,
                     UpstreamOptions options)
    : world_(world), client_(client), registry_(registry), telemetry_(telemetry), options_(std::move(options)) {}

Upstream& Upstreams::of(std::string_view service) {
    auto found = upstreams_.find(service);
    if (found == upstreams_.end()) {
        found = upstreams_.emplace(service, std::make_unique<Upstream>(std::string(service), telemetry_.metrics)).first;
        refresh(*found->second);
    }
    return *found->second;
}

http::Client::Load Upstreams::load(const Upstream& upstream) const {
    http::Client::Load sum;
    for (const auto& instance : upstream.instances_)
        sum += client_.load(instance->address);
    return sum;
}

UpstreamInstancePtr Upstream::known(const std::string& id, const Address& address) const {
    const auto is_it = [&](const UpstreamInstancePtr& one) { return one && one->id == id && one->address == address; };
    if (const auto found = std::ranges::find_if(instances_, is_it); found != instances_.end()) return *found;
    for (const auto& one : departed_)
        if (auto back = one.lock(); is_it(back)) return back;
    return nullptr;
}

void Upstreams::refresh(Upstream& upstream) {
    auto current = registry_.instances(upstream.service_);
    if (current == upstream.seen_) return;
    std::vector<UpstreamInstancePtr> fresh;
    for (const auto& instance : *current) {
        const auto address = instance.best_address(options_.this_host);
        auto known = upstream.known(instance.id, address);
        fresh.push_back(known ? std::move(known) : std::make_shared<UpstreamInstance>(instance.id, address));
    }
    for (const auto& old : upstream.instances_) {
        if (std::ranges::find(fresh, old) != fresh.end()) continue;
        client_.close_idle(&old->address);
        upstream.departed_.emplace_back(old);
    }
    upstream.instances_ = std::move(fresh);
    std::erase_if(upstream.departed_, [](const auto& one) { return one.expired(); });
    upstream.seen_ = std::move(current);
}

task<Result<void>> Upstreams::wait_for_instances(Context& context, Upstream& upstream) {
    Context patience(context, options_.resolve_timeout);
    auto resolved = co_await registry_.resolve(patience, upstream.service_);
    refresh(upstream);
    if (!upstream.instances_.empty()) co_return Result<void>();
    if (context.cancelled()) co_return context.reason();
    co_return Error(Kind::unavailable, "no_instance", "no instance of " + upstream.service_ + " is available")
        .with_retry_after(kRetryAfter);
}

void Upstreams::penalise(const Context& context, Upstream& upstream, UpstreamInstance& instance, const Error& error) {
    upstream.count_connect_failure(error);
    const auto now = world_.monotonic();
    if (instance.penalised_until <= now) {
        telemetry_.log.warning(
            context, "an instance cannot be reached",
            {{"upstream", upstream.service_}, {"instance", instance.id}, {"error", error.message()}});
    }
    instance.penalised_until = now + options_.penalty;
}

task<Result<UpstreamConnection>> Upstreams::connect(Context& context, Upstream& upstream, Attempts& attempts, Use use) {
    const TimeSpent::Interval waiting(context, TimeSpent::On::connection);
    refresh(upstream);
    if (upstream.instances_.empty()) co_await must(wait_for_instances(context, upstream));
    while (auto instance = upstream.pick(world_.monotonic(), attempts.tried, use)) {
        std::optional<FifoSemaphore::Permit> permit;
        if (use == Use::upload) permit = co_await must(instance->uploads.acquire(context));
        auto opened = co_await client_.open(context, instance->address);
        if (opened) co_return UpstreamConnection{std::move(instance), std::move(permit), std::move(*opened), nullptr};
        if (context.cancelled()) {
            if (context.reason().kind() != Kind::deadline_exceeded) co_return context.reason();
            upstream.count_connect_failure(context.reason());
            co_return Error(Kind::deadline_exceeded,
                            "no connection to " + upstream.service_ + " came free in the time this request has");
        }
        penalise(context, upstream, *instance, opened.error());
        attempts.tried.push_back(std::move(instance));
    }
    if (attempts.last_failure) co_return upstream_failed(context, upstream.service_, *attempts.last_failure);
    co_return Error(Kind::bad_gateway, "upstream_unreachable",
                    "no instance of " + upstream.service_ + " could be reached")
        .with_retry_after(kRetryAfter);
}

bool Upstreams::note_broken(const Context& context, const UpstreamConnection& connection, Upstream& upstream,
                            Attempts& attempts, const Error& error) {
    const bool late = context.cancelled() && context.reason().kind() == Kind::deadline_exceeded;
    if (context.cancelled() && !late) return false;
    upstream.count_broken_exchange(late ? context.reason() : error);
    const bool stale = connection.exchange->may_be_stale();
    // That a service closes a connection which nobody uses is no fault of anybody's.
    const bool expected = stale && (error.code() == "connection_stale" || error.code() == "no_response");
    telemetry_.log.write(expected ? LogLevel::debug : LogLevel::warning, &context.trace,
                         "an instance gave no usable answer",
                         std::array<LogField, 4>{LogField{"upstream", upstream.service_},
                                                 {"instance", connection.instance->id},
                                                 {"reason", late ? context.reason().code() : error.code()},
                                                 {"error", late ? context.reason().message() : error.message()}});
    if (late) return false;
    if (stale) {
        // The server had closed it; its other idle connections are no better. The instance itself may be well.
        client_.close_idle(&connection.instance->address);
    } else {
        attempts.tried.push_back(connection.instance);
    }
    attempts.last_failure = error;
    return ++attempts.failed < kFailedExchangesMax;
}

task<Result<UpstreamConnection>> Upstreams::call(Context& context, Upstream& upstream, http::RequestHead& head,
                                                 std::string_view body, bool idempotent, Attempts& attempts) {
    while (true) {
        auto connection = co_await connect(context, upstream, attempts, Use::whole);
        if (!connection) co_return std::move(connection.error());
        const auto begin = world_.monotonic();
        http::OutgoingCall call(context, TimeSpent::On::upstream);
        call.begin_try(head);
        auto& exchange = *connection->exchange;
        const auto sent = co_await exchange.send_whole(context, head, body);
        std::optional<Error> why;
        // A server may answer (413, say) and stop reading, so a write that failed does not mean there is no response.
        if (sent || sent.error().kind() == Kind::unavailable) {
            auto received = co_await exchange.receive(context);
            if (received) {
                connection->head = *received;
                call.set_name({connection->instance->id});
                upstream.observe(connection->head->status, world_.monotonic() - begin);
                co_return std::move(*connection);
            }
            if (sent) why = std::move(received.error());
        }
        if (!why) why = sent.error();
        // A request that was not sent completely cannot have been carried out.
        const bool repeatable = idempotent || !sent;
        if (!note_broken(context, *connection, upstream, attempts, *why) || !repeatable)
            co_return upstream_failed(context, upstream.service_, *why);
        upstream.retries.add();
    }
}

} // namespace flotilla::gateway
