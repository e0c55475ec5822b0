// The process measured by the benchmark `calls`: one call after the other to one server, over the bare pooled client
// and over the whole client stack, in turn. Prints "<CPU µs of a bare call> <CPU µs of a call over the stack> <what the
// stack adds>": the medians over batches, of which each is beside one of the other kind.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <vector>

#include <CLI/CLI.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/discovery/static_registry.hpp>
#include <flotilla/resilience/target_call.hpp>

namespace {

using namespace flotilla;
using Clock = std::chrono::steady_clock;

constexpr int kBatch = 200;
constexpr std::string_view kService = "backend";
constexpr Duration kTimeout = std::chrono::seconds(10);

double cpu_us() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

template <class T>
void expect(const Result<T>& result) {
    if (!result) throw std::runtime_error(result.error().message());
}

class Caller {
public:
    explicit Caller(Address address)
        : address_(std::move(address)),
          registry_({{std::string(kService), {instance("one"), instance("two"), instance("three")}}}),
          targets_(loop_.world(), client_, registry_, budgets_, telemetry_, {}), target_(targets_.of(kService)) {
        head_.method = Method::get;
        head_.method_name = name(Method::get);
        head_.target = "/";
        head_.authority = kService;
    }

    void run(std::chrono::duration<double> time) {
        std::vector<double> bare, stack, added;
        const auto begin = Clock::now();
        const auto warm = begin + std::chrono::duration_cast<Clock::duration>(time / 5);
        for (auto now = begin; now < begin + time || added.empty(); now = Clock::now()) {
            // Which of both comes first must not count.
            const bool stack_first = added.size() % 2 == 1;
            const double first = stack_first ? batch<true>() : batch<false>();
            const double second = stack_first ? batch<false>() : batch<true>();
            if (now < warm) continue;
            bare.push_back(stack_first ? second : first);
            stack.push_back(stack_first ? first : second);
            added.push_back(stack.back() - bare.back());
        }
        std::printf("%.3f %.3f %.3f\n", median(bare), median(stack), median(added));
    }

private:
    /// Several, so that there is a choice, and a try leaves time for another; all of them are the one server, so that
    /// both kinds have one connection.
    Instance instance(std::string id) const {
        return {.id = std::move(id), .service = std::string(kService), .address = address_};
    }
    template <bool over_stack>
    double batch() {
        const double before = cpu_us();
        loop_.run_until_done(calls<over_stack>());
        return (cpu_us() - before) / kBatch;
    }
    template <bool over_stack>
    task<void> calls() {
        for (int i = 0; i < kBatch; ++i) {
            Context context(root_, kTimeout);
            if constexpr (over_stack)
                co_await call_by_stack(context);
            else
                co_await call_barely(context);
        }
    }
    task<void> call_barely(Context& context) {
        http::OutgoingCall call(context, TimeSpent::On::calls);
        auto exchange = co_await client_.open(context, address_);
        expect(exchange);
        call.begin_try(head_);
        expect(co_await (*exchange)->send_whole(context, head_, {}));
        expect(co_await (*exchange)->receive(context));
        co_await read(context, **exchange);
    }
    task<void> call_by_stack(Context& context) {
        TargetCall call(targets_, target_, context, {.repeatable = true});
        expect(co_await call.send(head_, {}));
        co_await read(context, call.exchange());
    }
    static task<void> read(Context& context, http::ClientExchange& exchange) {
        for (bool more = true; more;) {
            const auto piece = co_await exchange.read(context);
            expect(piece);
            more = !piece->empty();
        }
    }

    const Address address_;
    Loop loop_;
    Context root_{loop_.world()};
    Telemetry telemetry_{Logger("bench-calls", LogLevel::error, Logger::Format::json)};
    http::Client client_{loop_.world()};
    StaticRegistry registry_;
    RetryBudgets budgets_;
    Targets targets_;
    Target& target_;
    http::RequestHead head_;
};

} // namespace

int main(int argc, char** argv) {
    std::string address;
    double seconds = 2;
    CLI::App app("Calls over the client stack beside calls over the bare client, measured.");
    app.add_option("--address", address, "Of the server")->required();
    app.add_option("--seconds", seconds, "How long")->check(CLI::Range(0.01, 600.0));
    CLI11_PARSE(app, argc, argv);
    try {
        auto parsed = Address::parse(address);
        expect(parsed);
        Caller(std::move(*parsed)).run(std::chrono::duration<double>(seconds));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench-calls: %s\n", error.what());
        return 1;
    }
    return 0;
}
