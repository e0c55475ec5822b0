#pragma once

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/discovery/registry.hpp>

// What the tests of this layer share.

namespace flotilla {

/// Waits until the condition holds, turn by turn; fails the test when the context ends first.
inline task<void> eventually(Context& context, std::function<bool()> condition) {
    while (!condition()) {
        if (auto turned = co_await sleep_for(context, std::chrono::milliseconds(1)); !turned) {
            ADD_FAILURE() << "the condition never held";
            co_return;
        }
    }
}

/// Runs a test's coroutine on a loop of its own, within ten seconds.
inline void run_on_loop(task<void> (*body)(Context&)) {
    Loop loop;
    Context context(loop.world());
    Context limited(context, std::chrono::seconds(10));
    loop.run_until_done(body(limited));
}

inline Logger silent_logger() {
    return Logger("test", LogLevel::info, Logger::Format::json, [](std::string_view) {});
}

inline Instance some_instance(std::string id, std::uint16_t port = 3002) {
    return {std::move(id),
            "order-service",
            Address::tcp("10.0.0.7", port),
            "/run/order.sock",
            "host-a",
            "1.2.3",
            "run-1",
            "eu-1a",
            2.5,
            {"canary"},
            "http://10.0.0.7:3002/openapi.json"};
}

} // namespace flotilla
