#include <flotilla/service/binding.hpp>

#include <gtest/gtest.h>

#include <flotilla/base/constrained.hpp>
#include <flotilla/base/json.hpp>

namespace flotilla::binding_test {
namespace {

enum class Colour { red, deep_blue };
struct Search {
    std::string shop_id;
    std::string text;
    std::optional<Bounded<int, 1, 100>> limit;
    std::vector<Colour> colours;
};
struct Change {
    std::string id;
    Text<1, 5> name;
    std::optional<bool> active;
};
struct Part {
    std::string id;
    Bounded<int, 1, 9> count;
};
struct Check {
    std::vector<Part> parts;
};
struct Found {};

constexpr Service service{"test-service"};
constexpr Endpoint<Search, Found> search{service, Method::get, "/shops/{shopId}/search"};
constexpr Endpoint<Change, Found> change{service, Method::patch, "/things/{id}"};
constexpr Endpoint<Change, Found> replace{service, Method::put, "/things"};
constexpr Endpoint<Check, Found> check{service, Method::post, "/check"};

http::RequestHead head(std::string target, const char* content_type = nullptr) {
    http::RequestHead made;
    made.target = std::move(target);
    if (content_type) made.headers.add("content-type", content_type);
    return made;
}

template <class T>
Result<T> bound(const EndpointInfo& endpoint, const http::PathParameters& path, const http::RequestHead& request,
                std::string_view body) {
    T value{};
    auto done = bind_request(endpoint, path, request, body, &value);
    if (!done) return std::move(done.error());
    return value;
}

std::string problems(const Error& error) {
    std::string text;
    for (const auto& field : error.fields())
        text += field.path + ": " + field.message + "\n";
    return text;
}

// Goal: path and query fill a request by name, decoded; unknown parameters are ignored.
TEST(Binding, PathAndQueryFillTheRequest) {
    auto value = bound<Search>(search, {{"shopId", "a b"}},
                               head("/x?text=red%20lamp+x&limit=7&colours=RED&colours=DEEP_BLUE&other=1"), "");
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_EQ(value->shop_id, "a b");
    EXPECT_EQ(value->text, "red lamp x");
    EXPECT_EQ(*value->limit, 7);
    EXPECT_EQ(value->colours, (std::vector<Colour>{Colour::red, Colour::deep_blue}));
}

// Goal: everything wrong with a query is said at once.
TEST(Binding, EveryBadQueryFieldIsNamed) {
    auto value = bound<Search>(search, {{"shopId", "s"}}, head("/x?limit=1000&colours=green&limit=5"), "");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().kind(), Kind::invalid);
    const auto text = problems(value.error());
    EXPECT_TRUE(text.contains("limit: expected 1..100, found 1000\n")) << text;
    EXPECT_TRUE(text.contains("limit: is given more than once\n")) << text;
    EXPECT_TRUE(text.contains("text: is required\n")) << text;
    EXPECT_TRUE(text.contains("colours: ")) << text;
    EXPECT_FALSE(bound<Search>(search, {{"shopId", "s"}}, head("/x?text=%zz"), ""));
}

// Goal: the path counts; what the body says about its fields is ignored, the rest is required.
TEST(Binding, PathWinsOverBody) {
    auto value = bound<Change>(change, {{"id", "7"}}, head("/things/7", "application/json; charset=utf-8"),
                               R"({"id":9,"name":"lamp","active":true})");
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_EQ(value->id, "7");
    EXPECT_EQ(value->name, "lamp");
    EXPECT_EQ(value->active, true);
    auto missing = bound<Change>(change, {{"id", "7"}}, head("/things/7"), "");
    ASSERT_FALSE(missing);
    EXPECT_EQ(problems(missing.error()), "name: is required\n");
}

// Goal: a request that is nothing but a list may come as that list, checked as strictly; other requests may not.
TEST(Binding, RequestOfOneListMayBeTheListItself) {
    constexpr std::string_view kParts = R"([{"id":"a","count":2},{"id":"b","count":9}])";
    for (const auto& body :
         {std::string(kParts), " \n" + std::string(kParts), R"({"parts":)" + std::string(kParts) + "}"}) {
        const auto value = bound<Check>(check, {}, head("/check"), body);
        ASSERT_TRUE(value) << body << ": " << value.error().message();
        ASSERT_EQ(value->parts.size(), 2U) << body;
        EXPECT_EQ(value->parts[1].id, "b") << body;
    }
    const auto bad = bound<Check>(check, {}, head("/check"), R"([{"id":"a","count":2},{"id":"b","count":10}])");
    ASSERT_FALSE(bad);
    EXPECT_EQ(problems(bad.error()), "[1].count: expected 1..9, found 10\n");
    EXPECT_FALSE(bound<Check>(check, {}, head("/check"), std::string(kParts) + "]"));
    EXPECT_FALSE(bound<Change>(replace, {}, head("/things"), R"([{"id":"1","name":"x"}])"));
}

// Goal: another media type is refused as such.
TEST(Binding, OtherMediaTypeIsUnsupported) {
    auto value = bound<Change>(replace, {}, head("/things", "application/x-www-form-urlencoded"), "id=1&name=x");
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().kind(), Kind::unsupported);
}

// Goal: a page of another site cannot send JSON by leaving its type away, which needs no leave of ours; a program can.
TEST(Binding, PageMustNameTheMediaType) {
    constexpr std::string_view kBody = R"({"id":"1","name":"x","active":true})";
    EXPECT_TRUE(bound<Change>(replace, {}, head("/things"), kBody));
    for (const auto& [name, value] : {std::pair{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}}) {
        auto page = head("/things");
        page.headers.add(name, value);
        const auto refused = bound<Change>(replace, {}, page, kBody);
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().code(), "unsupported_media_type");
        page.headers.add("Content-Type", "application/json");
        EXPECT_TRUE(bound<Change>(replace, {}, page, kBody)) << name;
    }
}

// Goal: what a client makes, a server understands: the same values come out.
TEST(Binding, MadeRequestBindsToTheSameValues) {
    const Search sent{.shop_id = "a/b c", .text = "ü&=?", .limit = 3, .colours = {Colour::deep_blue, Colour::red}};
    const auto request = *make_request(search, &sent);
    EXPECT_EQ(request.head.target,
              "/shops/a%2Fb%20c/search?text=%C3%BC%26%3D%3F&limit=3&colours=DEEP_BLUE&colours=RED");
    auto received = bound<Search>(search, {{"shopId", "a/b c"}}, request.head, request.body);
    ASSERT_TRUE(received) << received.error().message();
    EXPECT_EQ(json::write(*received), json::write(sent));

    const Change patch{.id = "7", .name = "lamp", .active = std::nullopt};
    const auto body = *make_request(change, &patch);
    EXPECT_EQ(body.head.target, "/things/7");
    auto again = bound<Change>(change, {{"id", "7"}}, body.head, body.body);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(json::write(*again), json::write(patch));
}

// Goal: an empty field in the path would lead to another route, so it is refused before anything is sent.
TEST(Binding, EmptyPathFieldIsRefused) {
    const Change patch{.id = ""};
    const auto refused = make_request(change, &patch);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), "invalid_request");
    ASSERT_EQ(refused.error().fields().size(), 1U);
    EXPECT_EQ(refused.error().fields()[0].path, "id");
    EXPECT_EQ(refused.error().fields()[0].message, "must not be empty: it is part of the path /things/{id}");

    static constexpr ErrorCode no_thing{"no_thing", Kind::not_found, "No such thing"};
    static constexpr Endpoint<Change, Found> find{service, Method::patch, "/things/{id}/found", {.errors = {no_thing}}};
    EXPECT_EQ(make_request(find, &patch).error().code(), "no_thing") << "nothing has an empty name";
}

} // namespace
} // namespace flotilla::binding_test
