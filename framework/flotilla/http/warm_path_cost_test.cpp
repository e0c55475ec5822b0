#include <flotilla/aio/test_allocations.hpp>

#ifdef FLOTILLA_COUNTS_ALLOCATIONS

#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <flotilla/http/http1/encoder.hpp>
#include <flotilla/http/http1/head_parser.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::warm_path_cost_test {
namespace {

constexpr int kWarmUp = 100;
constexpr int kCounted = 1000;

constexpr std::string_view kRequest = "GET /orders/01890a5d-ac96-774b-bcce-b302099a8057?expand=items HTTP/1.1\r\n"
                                      "Host: shop.example:3000\r\n"
                                      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
                                      "Accept: application/json, text/plain;q=0.5\r\n"
                                      "Accept-Encoding: gzip, deflate, br\r\n"
                                      "Cookie: session=0af7651916cd43dd8448eb211c80319c\r\n"
                                      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";
constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 150\r\n"
                                       "Date: Sat, 31 Jan 2026 08:00:00 GMT\r\nX-Request-Id: 17\r\n\r\n";

// Goal: parsing a request, a response, and writing both again allocates nothing once the objects have seen their like.
TEST(WarmPath, CodecAllocatesNothing) {
    RequestParser request_parser;
    ResponseParser response_parser;
    RequestHead request;
    ResponseHead response;
    std::string out;
    const auto round = [&] {
        std::size_t consumed = 0;
        request_parser.start(request, {});
        ASSERT_EQ(request_parser.feed(kRequest, consumed), Progress::done);
        response_parser.start(response, {});
        ASSERT_EQ(response_parser.feed(kResponse, consumed), Progress::done);
        out.clear();
        ASSERT_TRUE(encode_request_head(out, request, request.authority, {}));
        encode_response_head(out, response, {HeadFraming::Length::bytes, 150}, "Sat, 31 Jan 2026 08:00:00 GMT");
    };
    for (int i = 0; i < kWarmUp; ++i)
        round();
    const auto before = allocations;
    for (int i = 0; i < kCounted; ++i)
        round();
    EXPECT_EQ(allocations - before, 0u);
}

/// Asks and reads the answer, again and again, on a thread of its own, whose allocations do not count.
void ask_often(std::uint16_t port, int times) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ASSERT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    std::array<char, 4096> buffer{};
    for (int i = 0; i < times; ++i) {
        ASSERT_EQ(::send(descriptor, kRequest.data(), kRequest.size(), MSG_NOSIGNAL), ssize_t(kRequest.size()));
        ASSERT_GT(::recv(descriptor, buffer.data(), buffer.size(), 0), 0); // short: it comes in one piece
    }
    ::close(descriptor);
}

// Goal: from the readable socket to the answer sent, a server's kept-alive connection allocates nothing per request.
TEST(WarmPath, ServerAllocatesNothing) {
    ResponseHead head;
    head.headers.add("content-type", "application/json");
    const std::string body(150, 'x');
    int served = 0;
    std::size_t at_start = 0, at_end = 0;
    const auto handler = [&](Context& context, Exchange& exchange) -> task<void> {
        if (++served == kWarmUp) at_start = allocations;
        if (served == kWarmUp + kCounted) at_end = allocations;
        std::ignore = co_await exchange.respond(context, head, body);
    };
    with_server({}, handler, [&](Context& context, Server&, Address address) -> task<void> {
        Event done; // the test itself only waits, so that nothing else is counted
        std::thread client([&] {
            ask_often(address.port, kWarmUp + kCounted);
            context.world().post([&done] { done.notify(); });
        });
        std::ignore = co_await done.wait(context);
        client.join();
    });
    ASSERT_EQ(served, kWarmUp + kCounted);
    EXPECT_GT(at_start, 0u) << "nothing is counted";
    // Date is made anew each second, which takes two.
    EXPECT_LT(at_end - at_start, kCounted / 10u);
}

} // namespace
} // namespace flotilla::http::warm_path_cost_test

#endif
