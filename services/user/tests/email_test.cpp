#include "services/user/domain/email.hpp"

#include <gtest/gtest.h>

namespace user::email_test {
namespace {

// Goal: what mail systems accept is accepted, blanks around it dropped.
TEST(UserEmail, OrdinaryAddressesAreAccepted) {
    EXPECT_EQ(parse_email("ada@example.com").value(), "ada@example.com");
    EXPECT_EQ(parse_email("  ada.lovelace+shop@mail.example.co.uk ").value(), "ada.lovelace+shop@mail.example.co.uk");
    EXPECT_EQ(parse_email("o'neill@localhost").value(), "o'neill@localhost");
    EXPECT_EQ(parse_email("jürgen@bücher.example").value(), "jürgen@bücher.example");
}

// Goal: nothing that could break out of an SMTP command or a header is an address.
TEST(UserEmail, BrokenAddressesAreRefused) {
    for (const char* text : {"", " ", "ada", "@example.com", "ada@", "ada@.com", "ada@example..com", ".ada@example.com",
                             "ada.@example.com", "a..b@example.com", "ada lovelace@example.com", "ada@exam ple.com",
                             "ada@-example.com", "ada@example.com\r\nX: y", "<ada@example.com>", "ada@example.com>",
                             "ada@example.com.", "ada@[127.0.0.1]", "\"ada\"@example.com"}) {
        auto parsed = parse_email(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code(), "invalid_email") << text;
    }
}

} // namespace
} // namespace user::email_test
