// The process that calls in the benchmarks `resilience` and `metastability`: an open loop at random instants (Poisson),
// until SIGTERM, over the stack that services call with (Targets, Calls), or with a bare client beside which that is
// measured. Writes a line for each call: "<due, µs of the monotonic clock> <µs until its end> <ok, or the error's
// code>".
#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>

#include <CLI/CLI.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/service/calls.hpp>

#include "bench/hop/api/hop.hpp"
#include "bench/hop/bare_client.hpp"

namespace {

using namespace flotilla;
using std::chrono::microseconds;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string service = "last-hop", registry, address, path = "bare";
    bool bare = false;
    int tries = 1;
    std::int64_t try_ms = 0;
    std::uint64_t keys = 1;
    double per_second = 100;
    std::int64_t timeout_ms = 1000;
    std::uint64_t seed = 1;
};

class Caller {
public:
    Caller(World& world, const Options& options)
        : options_(options), telemetry_(Logger("bench-caller", LogLevel::info, Logger::Format::json)), client_(world),
          random_(options.seed),
          bare_(world, options.tries,
                options.try_ms == 0 ? Duration::max() : std::chrono::milliseconds(options.try_ms)),
          hop_(*hop::named(options.service)) {
        if (!options.registry.empty()) {
            auto opened = open_registry(world, client_, telemetry_, {.url = options.registry, .host = kHost});
            if (!opened) throw std::runtime_error(opened.error().message());
            registry_ = std::move(*opened);
            targets_.emplace(world, client_, *registry_, budgets_, telemetry_, TargetsOptions{.this_host = kHost});
            calls_.emplace(*targets_);
            calls_->declare(hop_.service);
        } else {
            auto address = Address::parse(options.address);
            if (!address) throw std::runtime_error(address.error().message());
            address_ = std::move(*address);
        }
    }

    task<void> run(Context& context) {
        Scope scope(context);
        if (registry_) scope.spawn(registry_->run(scope.context()));
        scope.spawn(make_calls(scope.context(), scope));
        co_await scope.join();
    }

private:
    static constexpr const char* kHost = "127.0.0.1";

    task<void> make_calls(Context& context, Scope& scope) {
        std::exponential_distribution<double> gap(options_.per_second);
        auto due = Clock::now();
        while (!context.cancelled()) {
            due += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random_)));
            if (const auto wait = due - Clock::now(); wait > Clock::duration::zero())
                std::ignore = co_await sleep_for(context, wait); // cancelled: the loop ends
            if (!context.cancelled()) scope.spawn(call(context, due));
        }
    }

    task<void> call(Context& parent, Clock::time_point due) {
        Context context(parent, Duration(std::chrono::milliseconds(options_.timeout_ms)));
        const auto outcome = options_.bare ? co_await call_barely(context) : co_await call_by_stack(context);
        if (parent.cancelled()) co_return;
        const auto since = [](auto duration) { return std::chrono::duration_cast<microseconds>(duration).count(); };
        std::printf("%lld %lld %s\n", static_cast<long long>(since(due.time_since_epoch())),
                    static_cast<long long>(since(Clock::now() - due)),
                    outcome ? "ok" : std::string(outcome.error().code()).c_str());
    }

    task<Result<void>> call_by_stack(Context& context) {
        co_await must(calls_->call(context, hop_.stack, {.id = any_key()}));
        co_return Result<void>();
    }

    task<Result<void>> call_barely(Context& context) {
        std::vector<Address> addresses;
        if (registry_) {
            const auto found = co_await must(registry_->resolve(context, std::string(hop_.service.name)));
            for (const auto& instance : *found)
                addresses.push_back(instance.address);
        } else {
            addresses.push_back(address_);
        }
        co_return co_await bare_.get(context, std::move(addresses), "/" + options_.path + "/" + any_key());
    }

    std::string any_key() { return std::to_string(random_() % options_.keys); }

    const Options& options_;
    Telemetry telemetry_;
    http::Client client_;
    std::mt19937_64 random_;
    bench::BareClient bare_;
    const hop::Hop& hop_;
    std::unique_ptr<Registry> registry_; ///< null: there is one address
    Address address_;
    RetryBudgets budgets_;
    std::optional<Targets> targets_;
    std::optional<Calls> calls_;
};

void run_caller(const Options& options) {
    Loop loop;
    Context context(loop.world());
    loop.on_signals({SIGTERM, SIGINT}, [&](int) { context.cancel(Error(Kind::cancelled, "asked to end")); });
    Caller caller(loop.world(), options);
    loop.run_until_done(caller.run(context));
}

} // namespace

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // the log goes to the same file
    Options options;
    CLI::App app("Calls at random instants until SIGTERM; a line for each.");
    std::set<std::string> services;
    for (const auto* one : hop::all)
        services.emplace(one->service.name);
    app.add_option("--service", options.service, "Whom it calls")->check(CLI::IsMember(services));
    auto* registry = app.add_option("--registry", options.registry, "Where its instances are found");
    app.add_option("--address", options.address, "Instead of those: one address (bare)")->excludes(registry);
    app.add_flag("--bare", options.bare, "A pooled client that takes the instances in turn");
    app.add_option("--path", options.path, "The bare client's: bare, envoy");
    app.add_option("--tries", options.tries, "The bare client's, of each call")->check(CLI::Range(1, 10));
    app.add_option("--try-ms", options.try_ms, "How long each of these may take; 0: as long as the call")
        ->check(CLI::Range(0, 3'600'000));
    app.add_option("--keys", options.keys, "How many different things it asks for")->check(CLI::Range(1, 1'000'000));
    app.add_option("--rate", options.per_second, "Calls per second")->check(CLI::Range(0.1, 100'000.0));
    app.add_option("--timeout", options.timeout_ms, "Of a call, in milliseconds")->check(CLI::Range(1, 3'600'000));
    app.add_option("--seed", options.seed, "Of the instants");
    CLI11_PARSE(app, argc, argv);
    try {
        if (options.registry.empty() && (options.address.empty() || !options.bare))
            throw std::runtime_error("--registry is missing (or --address, with --bare)");
        run_caller(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench-caller: %s\n", error.what());
        return 1;
    }
    return 0;
}
