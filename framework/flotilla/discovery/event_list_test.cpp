#include <flotilla/discovery/event_list.hpp>

#include <flotilla/discovery/conformance/test_support.hpp>

namespace flotilla::event_list_test {
namespace {

task<void> count_wakes(Context& context, EventList& list, int times, int& wakes) {
    for (int i = 0; i < times; ++i) {
        if (auto woken = co_await list.wait(context); !woken) co_return;
        ++wakes;
    }
}

// Goal: everybody who waits wakes, once per notification.
TEST(EventList, NotifyAllWakesEveryWaiterOnce) {
    run_on_loop([](Context& context) -> task<void> {
        EventList list;
        int wakes = 0;
        Scope scope(context);
        for (int i = 0; i < 3; ++i)
            scope.spawn(count_wakes(scope.context(), list, 2, wakes));
        list.notify_all();
        co_await eventually(context, [&] { return wakes == 3; });
        EXPECT_FALSE(list.empty());
        list.notify_all();
        co_await scope.join();
        EXPECT_EQ(wakes, 6);
        EXPECT_TRUE(list.empty());
    });
}

// Goal: a waiter whose context ends leaves the list and the others stay.
TEST(EventList, CancelledWaiterLeavesOthersWaiting) {
    run_on_loop([](Context& context) -> task<void> {
        EventList list;
        int first = 0, second = 0;
        Scope doomed(context), scope(context);
        doomed.spawn(count_wakes(doomed.context(), list, 1, first));
        scope.spawn(count_wakes(scope.context(), list, 1, second));
        doomed.cancel(Error(Kind::cancelled, "enough"));
        co_await doomed.join();
        list.notify_all();
        co_await scope.join();
        EXPECT_EQ(first, 0);
        EXPECT_EQ(second, 1);
    });
}

} // namespace
} // namespace flotilla::event_list_test
