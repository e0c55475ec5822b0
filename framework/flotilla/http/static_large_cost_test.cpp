// Static content that is larger than memory should hold.
#include <sys/resource.h>

#include <flotilla/base/sanitized.hpp>
#include <flotilla/http/test_files.hpp>

namespace flotilla::http::static_large_cost_test {
namespace {

std::int64_t memory_peak_kb() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/// Byte i of a large file; each piece differs from its neighbours.
char byte_at(std::uint64_t at) { return static_cast<char>('a' + at / 4099 % 26); }

struct Received {
    std::uint64_t bytes = 0;
    bool intact = true;
    std::optional<Error> error;
};

/// Reads an answer to its end without keeping it; waits for `go` between head and body.
task<Received> download(Context& context, Client& client, Address address, std::string target, std::uint64_t from,
                        std::function<void()> before_body) {
    Received received{.bytes = from};
    auto exchange = (co_await client.open(context, std::move(address))).value();
    RequestHead head;
    head.target = std::move(target);
    if (from > 0) head.headers.add("range", "bytes=" + std::to_string(from) + "-");
    EXPECT_TRUE(co_await exchange->send_whole(context, head, {}));
    auto answer = co_await exchange->receive(context);
    EXPECT_TRUE(answer && (*answer)->status == (from > 0 ? 206 : 200));
    before_body();
    while (true) {
        auto piece = co_await exchange->read(context);
        if (!piece) received.error = piece.error();
        if (!piece || piece->empty()) break;
        for (const char c : *piece)
            received.intact = received.intact && c == byte_at(received.bytes++);
    }
    co_return received;
}

// Goal: a large file arrives whole, from the start or from the middle, without ever being in memory.
TEST_F(StaticContentTest, LargeFileIsStreamed) {
    constexpr std::uint64_t kSize = 96 << 20;
    {
        std::ofstream file(folder() + "/large.bin", std::ios::binary);
        std::string block(1 << 20, '\0');
        for (std::uint64_t at = 0; at < kSize; at += block.size()) {
            for (std::size_t i = 0; i < block.size(); ++i)
                block[i] = byte_at(at + i);
            file << block;
        }
    }
    start();
    const auto before = memory_peak_kb();
    for (const std::uint64_t from : {std::uint64_t{0}, kSize / 2 + 7}) {
        const auto received = loop_.run_until_done(download(context_, client_, address_, "/large.bin", from, [] {}));
        EXPECT_FALSE(received.error) << received.error->message();
        EXPECT_EQ(received.bytes, kSize);
        EXPECT_TRUE(received.intact);
    }
#ifndef FLOTILLA_SANITIZED // which keep what was freed
    EXPECT_LT(memory_peak_kb() - before, 32 * 1024) << "kB more at most than before, of 96 MiB";
#else
    EXPECT_GT(before, 0);
#endif
}

// Goal: a file that becomes shorter on the way breaks the answer off; nobody takes it for whole.
TEST_F(StaticContentTest, ShrinkingFileBreaksTheAnswerOff) {
    write("large.bin", "");
    resize("large.bin", 256 << 20); // more than all buffers on the way hold
    start();
    const auto received = loop_.run_until_done(
        download(context_, client_, address_, "/large.bin", 0, [this] { resize("large.bin", 1 << 20); }));
    ASSERT_TRUE(received.error);
    EXPECT_EQ(received.error->kind(), Kind::bad_gateway) << received.error->message();
    EXPECT_LT(received.bytes, 256u << 20);
    EXPECT_EQ(get("/large.bin", {{"range", "bytes=0-0"}}).status(), 206) << "the server goes on";
}

} // namespace
} // namespace flotilla::http::static_large_cost_test
