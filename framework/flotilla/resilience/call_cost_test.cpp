#include <flotilla/aio/test_allocations.hpp>

#ifdef FLOTILLA_COUNTS_ALLOCATIONS

#include <flotilla/resilience/balancer.hpp>

#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/resilience/latency_quantile.hpp>
#include <flotilla/resilience/retry_budget.hpp>
#include <flotilla/resilience/retry_schedule.hpp>
#include <flotilla/resilience/target_call.hpp>
#include <flotilla/resilience/test_registry.hpp>

namespace flotilla::call_cost_test {
namespace {

using namespace std::chrono_literals;

// Goal: what a call costs beside its message is no memory, failures and retries included.
TEST(BalancerCost, ACallAllocatesNothing) {
    InstanceState first("first", 1, true), second("second", 1, false), third("third", 2, true);
    const std::array list{&first, &second, &third};
    for (const auto policy :
         {BalancingPolicy::peak_ewma, BalancingPolicy::round_robin, BalancingPolicy::random, BalancingPolicy::weighted,
          BalancingPolicy::least_requests, BalancingPolicy::consistent_hash}) {
        TargetOptions options;
        options.balancing.policy = policy;
        Balancer balancer(options);
        RetryFloor floor;
        RetryBudget budget(options.budget, floor);
        LatencyQuantile latencies;
        Instant now{1000s};
        balancer.assign(list, now);
        (void)balancer.pick({}, now, 1);
        std::uint64_t random = 1;
        const auto call = [&](CallOutcome outcome) {
            now += 10ms;
            random = random * 6364136223846793005 + 1442695040888963407;
            RetrySchedule schedule(RetryProfile::in_request, options, {now + 1s});
            auto* instance = balancer.pick({.key = random}, now, random).instance;
            auto begun = balancer.begin(*instance, now);
            balancer.report(*instance, begun, outcome, {}, now + 1ms);
            balancer.end(*instance, begun, now + 1ms);
            latencies.observe(1ms, now);
            if (outcome == CallOutcome::success) return budget.note_success(now);
            if (!schedule.next(now, true, {}, random).retry) return;
            if (auto permit = budget.try_acquire(now)) permit->use(now);
        };
        const auto before = allocations;
        for (int i = 0; i < 10'000; ++i)
            call(i % 1000 < 500 && i % 2 == 0 ? CallOutcome::failure : CallOutcome::success);
        EXPECT_EQ(allocations - before, 0U) << name(policy);
    }
}

constexpr int kWarmUp = 200;
constexpr int kCounted = 1000;

/// A server that answers on one connection after another, from a thread of its own, whose allocations do not count.
class FixedServer {
public:
    FixedServer() : listening_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t size = sizeof address;
        auto* const as_any = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listening_, as_any, size) != 0 || ::listen(listening_, 8) != 0 ||
            ::getsockname(listening_, as_any, &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~FixedServer() {
        ::shutdown(listening_, SHUT_RDWR);
        thread_.join();
        ::close(listening_);
    }
    Address address() const { return Address::tcp("127.0.0.1", port_); }

private:
    void serve() const {
        constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        std::array<char, 4096> buffer{};
        while (true) {
            const int client = ::accept(listening_, nullptr, nullptr);
            if (client < 0) return;
            while (::recv(client, buffer.data(), buffer.size(), 0) > 0) // short: it comes in one piece
                std::ignore = ::send(client, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
            ::close(client);
        }
    }

    int listening_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

task<void> read_whole(Context& context, http::ClientExchange& exchange) {
    while (true) {
        const auto piece = co_await exchange.read(context);
        if (!piece || piece->empty()) co_return;
    }
}

task<void> bare(Context& context, http::Client& client, const Address& address, http::RequestHead& head) {
    http::OutgoingCall call(context, TimeSpent::On::calls);
    auto exchange = co_await client.open(context, address);
    call.begin_try(head);
    EXPECT_TRUE(co_await (*exchange)->send_whole(context, head, {}));
    EXPECT_TRUE(co_await (*exchange)->receive(context));
    co_await read_whole(context, **exchange);
}

task<void> through(Context& context, Targets& targets, Target& target, http::RequestHead& head) {
    TargetCall call(targets, target, context, {.repeatable = true});
    EXPECT_TRUE(co_await call.send(head, {}));
    co_await read_whole(context, call.exchange());
}

// Goal: the whole stack of a call allocates nothing beyond what the bare pooled client does.
TEST(TargetCallCost, NothingIsAllocatedBeyondTheBareClient) {
    FixedServer server;
    Loop loop;
    Telemetry telemetry(Logger("test", LogLevel::error));
    http::Client client(loop.world());
    test::ToldRegistry registry;
    registry.know({.id = "one", .service = "thing-service", .address = server.address()});
    RetryBudgets budgets;
    Targets targets(loop.world(), client, registry, budgets, telemetry, {});
    auto& target = targets.of("thing-service");
    http::RequestHead head;
    head.method = Method::get;
    head.method_name = name(Method::get);
    head.target = "/things/1";
    head.authority = "thing-service";
    Context root(loop.world());
    const auto address = server.address();
    const auto allocated = [&](auto call) {
        std::size_t before = 0;
        loop.run_until_done([&]() -> task<void> {
            for (int i = 0; i < kWarmUp + kCounted; ++i) {
                if (i == kWarmUp) before = allocations;
                Context context(root, std::chrono::seconds(10));
                co_await call(context);
            }
        }());
        return allocations - before;
    };
    const auto without = allocated([&](Context& context) { return bare(context, client, address, head); });
    const auto with = allocated([&](Context& context) { return through(context, targets, target, head); });
    EXPECT_GT(without, 0u) << "the exchange, or nothing is counted";
    EXPECT_LE(with, without + kCounted / 100u);
}

} // namespace
} // namespace flotilla::call_cost_test

#endif
