#include <flotilla/aio/trace_context.hpp>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/world.hpp>
#include <flotilla/base/uuid.hpp>

namespace flotilla::trace_context_test {
namespace {

constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// Goal: the specification's example is read and written back.
TEST(TraceContextParse, ExampleRoundTrips) {
    const auto context = TraceContext::parse(kExample);
    ASSERT_TRUE(context.valid());
    EXPECT_EQ(context.trace_id_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_EQ(context.span_id_hex(), "00f067aa0ba902b7");
    EXPECT_TRUE(context.sampled);
    EXPECT_EQ(context.traceparent(), kExample);
}

// Goal: only the lowest flag means sampled; unknown flags are accepted and not sent on.
TEST(TraceContextParse, FlagsOnlySampledCounts) {
    const std::string base(kExample.substr(0, 53));
    EXPECT_FALSE(TraceContext::parse(base + "00").sampled);
    EXPECT_TRUE(TraceContext::parse(base + "ff").sampled);
    EXPECT_FALSE(TraceContext::parse(base + "02").sampled);
    EXPECT_EQ(TraceContext::parse(base + "ff").traceparent(), base + "01");
}

// Goal: versions to come are accepted by their prefix, with or without more fields.
TEST(TraceContextParse, LaterVersionAcceptedByPrefix) {
    const std::string rest(kExample.substr(2));
    EXPECT_TRUE(TraceContext::parse("01" + rest).valid());
    EXPECT_TRUE(TraceContext::parse("cc" + rest + "-what-the-future-will-be-like").valid());
    EXPECT_TRUE(TraceContext::parse("fe" + rest + "-").valid());
    EXPECT_FALSE(TraceContext::parse("01" + rest + ".what").valid());
    EXPECT_EQ(TraceContext::parse("cc" + rest + "-more").traceparent(), kExample) << "we speak version 00";
}

// Goal: everything the specification calls invalid gives an invalid context.
TEST(TraceContextParse, MalformedGivesInvalid) {
    const std::string_view malformed[] = {
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", // version 00 ends there
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", // forbidden version
        "FE-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", // upper case
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", // zero ids
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", // dashes elsewhere
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e47g6-00f067aa0ba902b7-01",
        "zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };
    for (const auto text : malformed)
        EXPECT_FALSE(TraceContext::parse(text).valid()) << text;
}

// Goal: a started trace is new and valid; a child keeps the trace and gets a span of its own.
TEST(TraceContextChild, KeepsTraceChangesSpan) {
    Loop loop;
    auto parent = TraceContext::start(loop.world());
    parent.state = "vendor=1";
    parent.baggage = "tenant=7";
    parent.sampled = false;
    const auto child = parent.child(loop.world());
    EXPECT_TRUE(parent.valid());
    EXPECT_NE(TraceContext::start(loop.world()).trace_id, parent.trace_id);
    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_NE(child.span_id, parent.span_id);
    EXPECT_EQ(child.state, "vendor=1");
    EXPECT_EQ(child.baggage, "tenant=7");
    EXPECT_FALSE(child.sampled);
}

// Goal: ids are UUIDs, each another, in the order of their making (to the millisecond).
TEST(NewId, MakesDistinctUuids) {
    Loop loop;
    const std::string first = new_id(loop.world());
    const std::string second = new_id(loop.world());
    EXPECT_TRUE(is_uuid(first)) << first;
    EXPECT_EQ(first[14], '7') << first;
    EXPECT_NE(first, second);
    EXPECT_LE(first.substr(0, 13), second.substr(0, 13));
}

} // namespace
} // namespace flotilla::trace_context_test
