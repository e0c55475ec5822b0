#include <flotilla/aio/task.hpp>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>

namespace flotilla::task_test {
namespace {

task<int> answer() { co_return 42; }
task<int> add(int a, int b) { co_return a + b; }
task<int> nested(int depth) { co_return depth == 0 ? 0 : 1 + co_await nested(depth - 1); }
task<int> throws() {
    throw std::runtime_error("broken");
    co_return 1;
}
task<Result<int>> succeed(int value) { co_return value; }
task<Result<int>> fail(Kind kind) { co_return Error(kind, "it failed"); }
task<Result<void>> succeed_void() { co_return {}; }
task<Result<void>> fail_void() { co_return Error(Kind::conflict, "void failed"); }
Result<int> plain(bool good) {
    if (good) return 7;
    return Error(Kind::invalid, "plain failed");
}

/// Counts its living instances and records its end.
struct Tracked {
    int& alive;
    explicit Tracked(int& count) : alive(count) { ++alive; }
    Tracked(const Tracked&) = delete;
    ~Tracked() { --alive; }
};

// Goal: values, parameters and nesting work.
TEST(Task, AwaitNestedGivesValues) {
    Loop loop;
    EXPECT_EQ(loop.run_until_done(answer()), 42);
    EXPECT_EQ(loop.run_until_done(add(1, 2)), 3);
    EXPECT_EQ(loop.run_until_done(nested(1000)), 1000);
}

// Goal: a task that is never awaited never starts, and frees its parameters.
TEST(Task, DestroyUnstartedRunsNothing) {
    bool ran = false;
    auto parameter = std::make_shared<int>(1);
    auto body = [](bool& flag, std::shared_ptr<int>) -> task<void> {
        flag = true;
        co_return;
    };
    {
        auto unstarted = body(ran, parameter);
        EXPECT_EQ(parameter.use_count(), 2);
    }
    EXPECT_FALSE(ran);
    EXPECT_EQ(parameter.use_count(), 1);
}

// Goal: an exception leaves through every await and can be caught in between.
TEST(Task, ThrowInsideReachesWhoeverAwaits) {
    Loop loop;
    auto passes_on = []() -> task<int> { co_return co_await throws(); };
    EXPECT_THROW(loop.run_until_done(passes_on()), std::runtime_error);
    auto catches = []() -> task<std::string> {
        try {
            co_await throws();
        } catch (const std::runtime_error& error) {
            co_return error.what();
        }
        co_return "nothing thrown";
    };
    EXPECT_EQ(loop.run_until_done(catches()), "broken");
}

// Goal: the results of tasks may be movable only.
TEST(Task, ReturnMoveOnlyIsMoved) {
    Loop loop;
    auto make = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
    EXPECT_EQ(*loop.run_until_done(make()), 5);
}

// Goal: must gives values of tasks and of plain results, and passes over successful voids.
TEST(TaskMust, SuccessGivesValue) {
    Loop loop;
    auto body = []() -> task<Result<int>> {
        const int from_task = co_await must(succeed(1));
        const int from_result = co_await must(plain(true));
        co_await must(succeed_void());
        co_await must(Result<void>());
        co_return from_task + from_result;
    };
    EXPECT_EQ(loop.run_until_done(body()).value(), 8);
}

// Goal: an error ends the coroutine at once, with the error, for each form of must.
TEST(TaskMust, FailureEndsCoroutine) {
    Loop loop;
    bool went_on = false;
    auto with_task = [](bool& reached) -> task<Result<std::string>> {
        co_await must(fail(Kind::not_found));
        reached = true;
        co_return "unreachable";
    };
    auto with_result = [](bool& reached) -> task<Result<std::string>> {
        co_await must(plain(false));
        reached = true;
        co_return "unreachable";
    };
    auto with_void = [](bool& reached) -> task<Result<void>> {
        co_await must(fail_void());
        reached = true;
        co_return {};
    };
    EXPECT_EQ(loop.run_until_done(with_task(went_on)).error().kind(), Kind::not_found);
    EXPECT_EQ(loop.run_until_done(with_result(went_on)).error().message(), "plain failed");
    EXPECT_EQ(loop.run_until_done(with_void(went_on)).error().kind(), Kind::conflict);
    EXPECT_FALSE(went_on);
}

constexpr ErrorCode no_ship{"no_ship", Kind::not_found, "There is no such ship"};
constexpr ErrorCode no_harbour{"no_harbour", Kind::not_found, "There is no such harbour"};
constexpr ErrorCode adrift{"adrift", Kind::invalid, "Adrift"};

task<Result<int>> fail_as(Error error) { co_return error; }

// Goal: the first mapping of the error's own code replaces it; another error of the same kind stays what it is.
TEST(TaskMust, MappingReplacesFirstMatch) {
    Loop loop;
    auto mapped = [](Error error, Error first, Error second) -> task<Result<int>> {
        co_return co_await must(fail_as(error), on(no_ship, first), on(no_ship, second), on(adrift, second));
    };
    const Error gone(Kind::invalid, "gone", "Gone");
    EXPECT_EQ(loop.run_until_done(mapped(no_ship, no_harbour, gone)).error().code(), "no_harbour");
    EXPECT_EQ(loop.run_until_done(mapped(adrift, no_harbour, gone)).error().code(), "gone");
    EXPECT_EQ(loop.run_until_done(mapped(Error(Kind::not_found, "no such path"), gone, gone)).error().code(),
              "not_found");
    auto plain_mapped = [](Result<int> result, Error replacement) -> task<Result<int>> {
        co_return co_await must(std::move(result), on(adrift, replacement));
    };
    EXPECT_EQ(loop.run_until_done(plain_mapped(Error(adrift), gone)).error().code(), "gone");
}

task<Result<std::optional<int>>> look_up(int id) {
    if (id < 0) co_return Error(Kind::unavailable, "no database");
    if (id == 0) co_return std::optional<int>();
    co_return std::optional(id * 2);
}

// Goal: a row gives itself, none gives its own error, and what failed keeps its error.
TEST(Must, OrNoneEndsWithItsErrorWhereThereIsNone) {
    const Error none(Kind::not_found, "thing_not_found", "no such thing");
    auto of_task = [&none](int id) -> task<Result<int>> { co_return co_await must(look_up(id), or_none(none)); };
    auto of_result = [&none](std::optional<int> found) -> task<Result<int>> {
        co_return co_await must(Result<std::optional<int>>(found), or_none(none));
    };
    Loop loop;
    EXPECT_EQ(loop.run_until_done(of_task(4)), 8);
    EXPECT_EQ(loop.run_until_done(of_task(0)).error(), none);
    EXPECT_EQ(loop.run_until_done(of_task(-1)).error().kind(), Kind::unavailable);
    EXPECT_EQ(loop.run_until_done(of_result(3)), 3);
    EXPECT_EQ(loop.run_until_done(of_result(std::nullopt)).error(), none);
}

// Goal: the locals of a coroutine that must ended are destroyed before its awaiter's next statement.
TEST(TaskMust, FailureDestroysLocals) {
    Loop loop;
    int alive = 0;
    auto inner = [](int& count) -> task<Result<void>> {
        const Tracked outer(count);
        {
            const Tracked scoped(count);
            co_await must(fail_void());
        }
        co_return {};
    };
    auto body = [](auto& ending, int& count) -> task<int> {
        auto result = co_await ending(count);
        EXPECT_FALSE(result);
        co_return count;
    };
    EXPECT_EQ(loop.run_until_done(body(inner, alive)), 0);
}

// Goal: an error travels through many levels of must.
TEST(TaskMust, FailureCrossesManyLevels) {
    struct Levels {
        static task<Result<int>> descend(int depth, int& alive) {
            const Tracked here(alive);
            if (depth == 0) co_return Error(Kind::exhausted, "bottom");
            co_return 1 + co_await must(descend(depth - 1, alive));
        }
    };
    Loop loop;
    int alive = 0;
    EXPECT_EQ(loop.run_until_done(Levels::descend(500, alive)).error().message(), "bottom");
    EXPECT_EQ(alive, 0);
}

// Goal: an exception inside must leaves as an exception.
TEST(TaskMust, ThrowInsideStaysException) {
    Loop loop;
    auto thrower = []() -> task<Result<int>> {
        throw std::logic_error("bug");
        co_return 1;
    };
    auto body = [](auto& inner) -> task<Result<int>> { co_return co_await must(inner()); };
    EXPECT_THROW((void)loop.run_until_done(body(thrower)), std::logic_error);
}

// Goal: a million awaits that complete at once do not grow the stack (they would overflow it).
TEST(Task, AwaitMillionTimesKeepsStackFlat) {
    Loop loop;
    auto body = []() -> task<Result<std::int64_t>> {
        std::int64_t sum = 0;
        for (int i = 0; i < 1'000'000; ++i) {
            sum += co_await add(i, 1);
            sum += co_await must(succeed(1));
            sum += co_await must(plain(true));
        }
        co_return sum;
    };
    EXPECT_EQ(loop.run_until_done(body()).value(), 500'000'500'000 + 8'000'000);
}

// Goal: a million failures that end their coroutine do not grow the stack either.
TEST(TaskMust, FailMillionTimesKeepsStackFlat) {
    Loop loop;
    auto ends = []() -> task<Result<void>> {
        co_await must(plain(false));
        co_return {};
    };
    auto body = [](auto& ending) -> task<int> {
        int failures = 0;
        for (int i = 0; i < 1'000'000; ++i)
            failures += (co_await ending()).has_value() ? 0 : 1;
        co_return failures;
    };
    EXPECT_EQ(loop.run_until_done(body(ends)), 1'000'000);
}

// Goal: frames of all sizes are reused and may be freed on another thread.
TEST(TaskFrames, FreeOnAnotherThreadIsSafe) {
    for (const std::size_t size : {1UL, 64UL, 65UL, 500UL, 2048UL, 2049UL, 100'000UL}) {
        std::vector<void*> frames;
        for (int i = 0; i < 1000; ++i) {
            frames.push_back(detail::allocate_frame(size));
            std::memset(frames.back(), 0xab, size);
        }
        std::thread([&frames, size] {
            for (void* frame : frames)
                detail::free_frame(frame, size);
            void* again = detail::allocate_frame(size);
            std::memset(again, 0xcd, size);
            detail::free_frame(again, size);
        }).join();
    }
}

} // namespace
} // namespace flotilla::task_test
