#include <flotilla/base/mail_address.hpp>

#include <gtest/gtest.h>

namespace flotilla::mail_address_test {
namespace {

/// Whether both are one address; the key of a key must be itself.
bool same(std::string_view a, std::string_view b) {
    EXPECT_EQ(mail_address_key(mail_address_key(a)), mail_address_key(a)) << a;
    return mail_address_key(a) == mail_address_key(b);
}

// Goal: neither case nor spelling tells addresses apart, in any script.
TEST(MailAddressKey, CaseAndSpellingMakeNoDifference) {
    EXPECT_EQ(mail_address_key("Ada@Example.COM"), "ada@example.com");
    EXPECT_TRUE(same("ÉLISE@example.com", "élise@example.com"));
    EXPECT_TRUE(same("E\u0301LISE@example.com", "élise@example.com"));
    EXPECT_TRUE(same("ΣΊΣΥΦΟΣ@example.com", "σίσυφος@example.com"));
    EXPECT_TRUE(same("ПЁТР@example.com", "пётр@example.com"));
    EXPECT_TRUE(same("GROSS@example.com", "groß@example.com"));
    EXPECT_TRUE(same("ａｄａ@example.com", "ada@example.com"));
    EXPECT_TRUE(same("a\u00ADd\u200Ba@example.com", "ada@example.com"));
}

// Goal: what is different stays different.
TEST(MailAddressKey, OtherAddressesStayApart) {
    EXPECT_FALSE(same("elise@example.com", "élise@example.com"));
    EXPECT_FALSE(same("ada+shop@example.com", "ada@example.com"));
    EXPECT_FALSE(same("a.da@example.com", "ada@example.com"));
    EXPECT_FALSE(same("ada@straße.example", "ada@strasse.example"));
}

// Goal: a domain is what DNS is asked for, however it is written; one that is none is compared without regard to case.
TEST(MailAddressKey, DomainIsWhatDnsIsAskedFor) {
    EXPECT_EQ(mail_address_key("ada@Bücher.Example"), "ada@xn--bcher-kva.example");
    EXPECT_TRUE(same("ada@BÜCHER.example", "ada@XN--BCHER-KVA.example"));
    EXPECT_EQ(mail_address_key("ada@LOCALHOST"), "ada@localhost");
    EXPECT_EQ(mail_address_key("ada@Ab--cd.example"), "ada@ab--cd.example");
    EXPECT_EQ(mail_address_key("\"a@B\"@X.example"), "\"a@b\"@x.example");
    EXPECT_EQ(mail_address_key("NOBODY"), "nobody");
    EXPECT_EQ(mail_address_key("\xFF\xC0Z@Example.com"), "\xFF\xC0z@example.com");
}

} // namespace
} // namespace flotilla::mail_address_test
