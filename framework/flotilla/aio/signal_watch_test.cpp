#include <flotilla/aio/signal_watch.hpp>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

namespace flotilla::detail::signal_watch_test {
namespace {

int before_calls = 0;
void count_call(int) { ++before_calls; }

// Goal: every watch of a signal hears it, others do not, in the order they came.
TEST(SignalWatch, EachWatchHearsItsSignals) {
    SignalWatch first({SIGUSR1, SIGUSR2});
    SignalWatch second({SIGUSR1, SIGUSR1});
    ::raise(SIGUSR2);
    ::raise(SIGUSR1);
    EXPECT_EQ(first.next(), SIGUSR2);
    EXPECT_EQ(first.next(), SIGUSR1);
    EXPECT_EQ(first.next(), 0);
    EXPECT_EQ(second.next(), SIGUSR1);
    EXPECT_EQ(second.next(), 0);
}

// Goal: the last watch to go restores what the process did before; what it left unread is not heard by the next.
TEST(SignalWatch, EndRestoresWhatWasBefore) {
    struct sigaction mine{};
    mine.sa_handler = count_call;
    struct sigaction original{};
    ASSERT_EQ(::sigaction(SIGUSR1, &mine, &original), 0);
    auto first = std::make_unique<SignalWatch>(std::initializer_list<int>{SIGUSR1});
    auto second = std::make_unique<SignalWatch>(std::initializer_list<int>{SIGUSR1});
    first.reset();
    ::raise(SIGUSR1);
    EXPECT_EQ(before_calls, 0);
    second.reset();
    ::raise(SIGUSR1);
    EXPECT_EQ(before_calls, 1);
    SignalWatch next({SIGUSR1});
    EXPECT_EQ(next.next(), 0);
    ::sigaction(SIGUSR1, &original, nullptr);
}

// Goal: what cannot be watched is an error, and nothing stays behind.
TEST(SignalWatch, ImpossibleWatchesAreRefused) {
    EXPECT_THROW(SignalWatch({SIGUSR1, SIGKILL}), std::system_error);
    EXPECT_THROW(SignalWatch({0}), std::system_error);
    std::vector<std::unique_ptr<SignalWatch>> all;
    EXPECT_THROW(for (int i = 0; i < 100; ++i)
                     all.push_back(std::make_unique<SignalWatch>(std::initializer_list<int>{SIGUSR1})),
                 std::length_error);
    EXPECT_EQ(all.size(), 16u) << "the refused ones took no place";
}

} // namespace
} // namespace flotilla::detail::signal_watch_test
