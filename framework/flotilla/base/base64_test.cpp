#include <flotilla/base/base64.hpp>

#include <gtest/gtest.h>

namespace flotilla::base64_test {
namespace {

// Goal: base64 as RFC 4648 says (its own vectors), both ways, and nothing else.
TEST(Base64, EncodesAndDecodesVectors) {
    const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"},
                                                                     {"\xff\xfe", "//4="}};
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(base64(plain), encoded);
        EXPECT_EQ(parse_base64(encoded), plain);
    }
    for (const auto* bad : {"Zg=", "Zg", "Z===", "Zm9v!Zm9", "Zm-v"})
        EXPECT_EQ(parse_base64(bad), std::nullopt) << bad;
}

} // namespace
} // namespace flotilla::base64_test
