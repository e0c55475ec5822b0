#include <gtest/gtest.h>

#include <flotilla/aio/socket_address.hpp>
#include <flotilla/aio/world.hpp>

namespace flotilla::address_test {
namespace {

// Goal: what to_string writes, parse reads.
TEST(AddressParse, TextRoundTrips) {
    for (const std::string text : {"127.0.0.1:80", "localhost:3000", "a.b-c.example:65535", "[::1]:0",
                                   "[fe80::1%eth0]:1", "unix:/run/x.sock", "unix:relative", "unix:/with:colon:80"}) {
        const auto address = Address::parse(text);
        ASSERT_TRUE(address) << text << ": " << address.error().message();
        EXPECT_EQ(address->to_string(), text);
        EXPECT_EQ(address->is_unix(), text.starts_with("unix:"));
    }
    EXPECT_EQ(Address::parse("[::1]:8080").value(), Address::tcp("::1", 8080));
    EXPECT_EQ(Address::parse("unix:/x").value(), Address::unix_socket("/x"));
    EXPECT_EQ(Address{}.to_string(), "unix:") << "a Unix socket without a name";
}

// Goal: what is not an address is refused with the text in the message.
TEST(AddressParse, MalformedIsInvalid) {
    for (const std::string text : {"",        "host",     "host:",          ":80",          "host:65536",
                                   "host:-1", "host:+1",  "host:8o",        "host: 80",     "host:80 ",
                                   "::1:80",  "[::1]",    "[::1]80",        "[host]:80",    "[]:80",
                                   "unix:",   "ho st:80", "http://host:80", "user@host:80", "host:99999999999"}) {
        const auto address = Address::parse(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error().kind(), Kind::invalid);
        EXPECT_NE(address.error().message().find('"' + text + '"'), std::string::npos) << address.error().message();
    }
}

// Goal: numbers need no lookup; IPv4 inside IPv6 comes out as IPv4.
TEST(SocketAddress, NumericRoundTrips) {
    for (const auto& address :
         {Address::tcp("127.0.0.1", 80), Address::tcp("::1", 443), Address::unix_socket("/tmp/x")}) {
        EXPECT_EQ(detail::from_socket(detail::numeric_address(address).value()), address);
    }
    EXPECT_EQ(detail::from_socket(detail::numeric_address(Address::tcp("::ffff:10.0.0.1", 5)).value()),
              Address::tcp("10.0.0.1", 5));
    EXPECT_FALSE(detail::numeric_address(Address::tcp("localhost", 80)));
}

// Goal: a Unix socket path that the system would cut off is refused.
TEST(SocketAddress, LongUnixPathIsInvalid) {
    EXPECT_TRUE(detail::numeric_address(Address::unix_socket(std::string(107, 'x'))));
    const auto refused = detail::numeric_address(Address::unix_socket(std::string(108, 'x')));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::invalid);
}

} // namespace
} // namespace flotilla::address_test
