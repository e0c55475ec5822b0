#include <flotilla/aio/test_allocations.hpp>

#ifdef FLOTILLA_COUNTS_ALLOCATIONS

#include <array>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/aio/test_streams.hpp>

namespace flotilla::stream_cost_test {
namespace {

task<void> echo(Context& context, Stream& stream) {
    std::array<char, 64> buffer{};
    while (true) {
        const auto count = co_await stream.read(context, buffer);
        if (!count || *count == 0) break;
        if (!co_await stream.write(context, std::string_view(buffer.data(), *count))) break;
    }
}

task<void> count_round_trips(Context& context, Address address) {
    auto pair = (co_await connected_pair(context, std::move(address))).value();
    Scope scope(context);
    scope.spawn(echo(scope.context(), *pair.server));
    std::array<char, 64> buffer{};
    std::size_t before = 0;
    for (int i = 0; i < 1100; ++i) {
        if (i == 100) before = allocations;
        EXPECT_TRUE(co_await pair.client->write(context, "ping"));
        EXPECT_EQ((co_await pair.client->read(context, buffer)).value(), 4U);
    }
    EXPECT_GT(before, 0U) << "nothing is counted";
    EXPECT_EQ(allocations - before, 0U);
    pair.client->shutdown_write();
    co_await scope.join();
}

// Goal: reads and writes that wait for the reactor allocate nothing, over TCP and over a Unix socket.
TEST(StreamCost, OperationsDoNotAllocate) {
    TemporaryFolder folder;
    for (const auto& address : {Address::tcp("127.0.0.1", 0), Address::unix_socket(folder.file("s"))}) {
        Loop loop;
        Context context(loop.world());
        loop.run_until_done(count_round_trips(context, address));
    }
}

} // namespace
} // namespace flotilla::stream_cost_test

#endif
