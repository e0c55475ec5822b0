#include <flotilla/resilience/targets.hpp>

#include <algorithm>

namespace flotilla {
namespace {

constexpr Duration kRetryAfter = std::chrono::seconds(1);
/// An instance that leaves the registry is mostly back soon: its check failed once, or the registry restarted.
constexpr Duration kDepartedKept = std::chrono::seconds(60);
constexpr std::size_t kDepartedMax = 64;
constexpr std::array kBreakerStates{BreakerState::closed, BreakerState::half_open, BreakerState::open};

} // namespace

// ---- Figures ----

TargetFigures::TargetFigures(std::string service, Metrics& metrics)
    : service_(std::move(service)), metrics_(metrics),
      retries_(metrics.counter("http_client_retries_total", "Further tries of calls, on another instance or later.",
                               {{"upstream", service_}})),
      refused_retries_(metrics.counter("http_client_retries_refused_total",
                                       "Further tries that were not made: the retry budget was spent.",
                                       {{"upstream", service_}})),
      panics_(metrics.counter("http_client_panics_total",
                              "Times at which no instance was well any more, so that all were used.",
                              {{"upstream", service_}})),
      hedges_(metrics.counter("http_client_hedges_total",
                              "Second tries that were begun beside a first one that took longer than most do.",
                              {{"upstream", service_}})) {
    for (const auto state : kBreakerStates)
        transitions_.push_back(&metrics.counter("circuit_breaker_transitions_total",
                                                "Changes of instances' circuit breakers.",
                                                {{"upstream", service_}, {"state", std::string(name(state))}}));
}

void TargetFigures::count_answer(int status, Duration until_head) {
    auto found = std::ranges::find(durations_, status, &std::pair<int, Histogram*>::first);
    if (found == durations_.end()) {
        auto& histogram =
            metrics_.histogram("http_client_request_duration_seconds", "Time until an upstream's response began.",
                               {{"upstream", service_}, {"http_response_status_code", std::to_string(status)}});
        found = durations_.insert(durations_.end(), {status, &histogram});
    }
    found->second->observe(until_head);
}

void TargetFigures::count_failure(std::string_view reason) {
    auto found = std::ranges::find(failures_, reason, &std::pair<std::string, Counter*>::first);
    if (found == failures_.end()) {
        auto& counter = metrics_.counter("http_client_failed_requests_total",
                                         "Tries that ended without an answer, those that did not connect included.",
                                         {{"upstream", service_}, {"reason", std::string(reason)}});
        found = failures_.insert(failures_.end(), {std::string(reason), &counter});
    }
    found->second->add();
}

void TargetFigures::count_transition(BreakerState to) { transitions_[static_cast<std::size_t>(to)]->add(); }

void TargetFigures::set_gauges(std::string_view loop, const std::vector<TargetInstancePtr>& instances,
                               http::Client::Load load) {
    if (!load_) {
        load_.emplace(metrics_, loop, service_);
        for (const auto state : kBreakerStates)
            instances_.push_back(&metrics_.gauge(
                "circuit_breaker_instances", "Instances of an upstream by the state of their circuit breakers.",
                {{"loop", std::string(loop)}, {"upstream", service_}, {"state", std::string(name(state))}}));
    }
    for (std::size_t i = 0; i < kBreakerStates.size(); ++i) {
        const auto in_state = std::ranges::count(instances, kBreakerStates[i],
                                                 [](const TargetInstancePtr& each) { return each->breaker.state(); });
        instances_[i]->set(static_cast<double>(in_state));
    }
    load_->set(load);
}

// ---- Target ----

Target::Target(std::string service, TargetOptions options, RetryBudget& budget, Telemetry& telemetry)
    : service_(std::move(service)), telemetry_(telemetry), balancer_(options), budget_(budget),
      permits_(options.bulkhead.concurrency, options.bulkhead.queue), figures_(service_, telemetry.metrics) {}

std::string Target::detail(Instant now) const {
    std::string text;
    std::size_t out = 0;
    for (const auto& instance : instances_) {
        if (instance->breaker.state() == BreakerState::closed) continue;
        ++out;
        text += (out > 1 ? "; " : "") + instance->id + " " + instance->breaker.detail(now);
    }
    if (out == 0) return {};
    return std::to_string(out) + " of " + std::to_string(instances_.size()) + " instances are out: " + text;
}

TargetInstancePtr Target::known(const Instance& instance, const Address& address) const {
    const auto is_it = [&](const TargetInstancePtr& one) {
        return one->id == instance.id && one->incarnation == instance.incarnation && one->address == address;
    };
    if (const auto found = std::ranges::find_if(instances_, is_it); found != instances_.end()) return *found;
    const auto back = std::ranges::find_if(departed_, is_it, &Departed::instance);
    return back != departed_.end() ? back->instance : nullptr;
}

const TargetOptions& Target::options_of_endpoint(Method method, std::string_view path) const {
    const auto is_it = [&](const EndpointOptions& each) {
        const std::string_view text = each.endpoint;
        const auto verb = name(method);
        return text.size() == verb.size() + 1 + path.size() && text.starts_with(verb) && text.ends_with(path);
    };
    const auto found = std::ranges::find_if(endpoints_, is_it);
    return found == endpoints_.end() ? options() : found->options;
}

void Target::configure(const TargetConfiguration& configuration, const TargetOptions& defaults) {
    const auto options = configuration.options_of(service_, defaults);
    balancer_.configure(options);
    budget_.set_ratio(options.budget.ratio);
    endpoints_.clear();
    for (auto& endpoint : configuration.endpoints_of(service_)) {
        auto its = configuration.options_of_endpoint(service_, endpoint, options);
        endpoints_.push_back({std::move(endpoint), std::move(its)});
    }
}

void Target::tell_change(const Context& context, InstanceState& state) {
    const auto change = state.breaker.take_change();
    if (!change) return;
    const auto& instance = static_cast<const TargetInstance&>(state);
    figures_.count_transition(change->to);
    const auto level = change->to == BreakerState::open ? LogLevel::warning : LogLevel::info;
    const auto message = "Circuit breaker is " + std::string(name(change->to));
    telemetry_.log.write(level, &context.trace, message,
                         std::array<LogField, 4>{LogField{"upstream", service_},
                                                 {"instance", instance.id},
                                                 {"before", name(change->from)},
                                                 {"reason", describe(change->cause)}});
}

void Target::tell_panic(const Context& context) {
    const auto panic = balancer_.availability().take_panic_change();
    if (!panic) return;
    if (*panic) {
        figures_.count_panic();
        telemetry_.log.warning(context, "no instance is well, so that all are used", {{"upstream", service_}});
    } else {
        telemetry_.log.info("an instance is well again", {{"upstream", service_}});
    }
}

// ---- Targets ----

Targets::Targets(World& world, http::Client& client, Registry& registry, RetryBudgets& budgets, Telemetry& telemetry,
                 TargetsOptions options)
    : world_(world), client_(client), registry_(registry), budgets_(budgets), telemetry_(telemetry),
      options_(std::move(options)) {}

Target& Targets::of(std::string_view service) {
    if (auto* target = find(service)) return *target;
    const auto options = options_.configuration.options_of(service, options_.defaults);
    auto target =
        std::make_unique<Target>(std::string(service), options, budgets_.of(service, options.budget), telemetry_);
    target->configure(options_.configuration, options_.defaults);
    auto& made = *targets_.emplace(service, std::move(target)).first->second;
    refresh(made);
    return made;
}

void Targets::configure(TargetConfiguration configuration) {
    options_.configuration = std::move(configuration);
    for (const auto& [service, target] : targets_)
        target->configure(options_.configuration, options_.defaults);
}

Target* Targets::find(std::string_view service) {
    const auto found = targets_.find(service);
    return found == targets_.end() ? nullptr : found->second.get();
}

void Targets::publish(std::string_view loop) {
    for (const auto& [service, target] : targets_) {
        refresh(*target);
        http::Client::Load load;
        for (const auto& instance : target->instances_)
            load += client_.load(instance->address);
        target->figures_.set_gauges(loop, target->instances_, load);
    }
}

bool Targets::in_own_zone(const Instance& instance) const {
    return options_.zone.empty() || instance.zone == options_.zone;
}

void Targets::refresh(Target& target) {
    auto current = registry_.instances(target.service_);
    if (current == target.seen_) return;
    const auto now = world_.monotonic();
    std::vector<TargetInstancePtr> fresh;
    for (const auto& instance : *current) {
        const auto address = instance.best_address(options_.this_host);
        auto known = target.known(instance, address);
        if (!known) {
            known = std::make_shared<TargetInstance>(instance, address, in_own_zone(instance));
        } else {
            known->weight = instance.weight;
            known->own_zone = in_own_zone(instance);
            const bool was_gone = std::ranges::find(target.instances_, known) == target.instances_.end();
            if (was_gone) target.balancer_.give_chance(*known, now);
        }
        fresh.push_back(std::move(known));
    }
    for (auto& old : target.instances_) {
        if (std::ranges::find(fresh, old) != fresh.end()) continue;
        client_.close_idle(&old->address);
        target.departed_.push_back({std::move(old), now + kDepartedKept});
    }
    target.instances_ = std::move(fresh);
    std::erase_if(target.departed_, [&](const Target::Departed& one) {
        return one.until <= now || std::ranges::find(target.instances_, one.instance) != target.instances_.end();
    });
    if (target.departed_.size() > kDepartedMax)
        target.departed_.erase(target.departed_.begin(), target.departed_.end() - kDepartedMax);
    std::vector<InstanceState*> states;
    for (const auto& instance : target.instances_)
        states.push_back(instance.get());
    target.balancer_.assign(states, now);
    target.seen_ = std::move(current);
}

task<Result<void>> Targets::wait_for_instances(Context& context, Target& target) {
    Context patience(context, target.options().timeouts.resolve);
    auto resolved = co_await registry_.resolve(patience, target.service_);
    refresh(target);
    if (!target.instances_.empty()) co_return Result<void>();
    if (context.cancelled()) co_return context.reason();
    co_return Error(Kind::unavailable, "no_instance", "no instance of " + target.service_ + " is available")
        .with_retry_after(kRetryAfter);
}

} // namespace flotilla
