#include <flotilla/aio/process_limits.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

namespace flotilla::process_limits_test {
namespace {

// Goal: a server has all the descriptors it may have, and writing to nobody is an error, not its end.
TEST(ProcessLimits, ServerHasAllDescriptorsAndSurvivesClosedPipes) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit low{.rlim_cur = 100, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_EQ(prepare_server_process(), before.rlim_max);
    rlimit after{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
    EXPECT_EQ(after.rlim_cur, before.rlim_max);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    ::close(ends[0]);
    EXPECT_EQ(::write(ends[1], "x", 1), -1);
    ::close(ends[1]);
    ::setrlimit(RLIMIT_NOFILE, &before);
}

} // namespace
} // namespace flotilla::process_limits_test
