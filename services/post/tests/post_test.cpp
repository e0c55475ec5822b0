#include "services/post/post.hpp"

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/post/api/post.hpp"
#include "services/user/api/user.hpp"

namespace post::post_test {
namespace {

using namespace flotilla;

/// Knows user u-1, and u-2.
std::vector<Fake> users() {
    return {fake(user::get, [](user::UserId id) -> Result<user::User> {
        if (id.id != "u-1" && id.id != "u-2") return user::user_not_found;
        return user::User{.id = id.id, .email = "ada@example.com", .name = "Ada"};
    })};
}

class PostTest : public testing::Test {
protected:
    TestResponse write(const char* user, const char* text) {
        return posts.post("/posts", {{"userId", user}, {"text", text}});
    }
    std::string id_of(const TestResponse& response) { return std::string(response.json().at("id").as_string()); }
    std::string event(std::string_view topic) { return posts.next_event(topic).payload; }

    TestService posts{install, {.fakes = users()}};
};

// Goal: a post is stored as it was written, and announced.
TEST_F(PostTest, WrittenPostIsStoredAndAnnounced) {
    const auto made = write("u-1", "Land ahoy");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().as_object().size(), 4U) << made.body;
    EXPECT_EQ(made.json().at("userId"), "u-1");
    EXPECT_EQ(made.json().at("text"), "Land ahoy");
    EXPECT_EQ(made.headers.at("etag"), "\"1\"");
    EXPECT_EQ(posts.get("/posts/" + id_of(made)).body, made.body);
    EXPECT_EQ(event("post.created"), R"({"postId":")" + id_of(made) + R"(","userId":"u-1"})");
}

// Goal: only who there is writes, and something; every bad field is named; a repeated key writes once.
TEST_F(PostTest, BadPostIsRefusedAndRepeatedKeyWritesOnce) {
    const auto stranger = write("u-9", "x");
    EXPECT_EQ(stranger.status, 400);
    EXPECT_EQ(stranger.json().at("error"), "User not found");
    const auto bad = posts.post("/posts", {{"userId", 7}, {"text", ""}});
    EXPECT_EQ(bad.status, 400);
    EXPECT_EQ(bad.json().at("errors").as_array().size(), 2U) << bad.body;
    EXPECT_EQ(write("u-1", std::string(10'001, 'x').c_str()).status, 400);
    const auto once = [&] {
        return posts.post("/posts", {{"userId", "u-1"}, {"text", "once"}}, idempotency_key("k-1"));
    };
    const auto first = once(), again = once();
    EXPECT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(posts.get("/posts?userId=u-1").json().at("items").as_array().size(), 1U);
    EXPECT_EQ(posts.get("/posts/none").json().at("code"), "post_not_found");
}

// Goal: a user's posts come newest first, each once, page by page; nobody else's among them.
TEST_F(PostTest, PagesGiveEachPostOnceNewestFirst) {
    std::vector<std::string> written;
    for (int i = 0; i < 5; ++i)
        written.insert(written.begin(), id_of(write("u-1", "mine")));
    ASSERT_EQ(write("u-2", "another's").status, 201);
    std::vector<std::string> seen;
    std::string after;
    for (int pages = 1; pages <= 3; ++pages) {
        const auto page = posts.get("/posts?userId=u-1&limit=2" + after).json();
        for (const auto& item : page.at("items").as_array())
            seen.emplace_back(item.at("id").as_string());
        EXPECT_EQ(page.as_object().contains("next"), pages < 3);
        if (pages < 3) after = "&after=" + std::string(page.at("next").as_string());
    }
    EXPECT_EQ(seen, written);
    EXPECT_EQ(posts.get("/posts?userId=nobody").body, R"({"items":[]})");
    EXPECT_EQ(posts.get("/posts").status, 400);
    EXPECT_EQ(posts.get("/posts?userId=u-1&limit=101").status, 400);
}

// Goal: a post is changed and deleted from the version that was read, and others hear of both.
TEST_F(PostTest, ChangeAndDeleteExpectTheVersion) {
    const auto made = write("u-1", "first");
    const auto path = "/posts/" + id_of(made);
    const auto changed = posts.patch(path, {{"text", "second"}}, {{"If-Match", "\"1\""}});
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.json().at("text"), "second");
    EXPECT_EQ(changed.json().at("createdAt"), made.json().at("createdAt"));
    EXPECT_EQ(changed.headers.at("etag"), "\"2\"");
    EXPECT_EQ(posts.patch(path, {{"text", "third"}}, {{"If-Match", "\"1\""}}).status, 412);
    EXPECT_EQ(posts.get(path, {{"If-None-Match", "\"2\""}}).status, 304);
    const auto announced = R"({"postId":")" + id_of(made) + R"(","userId":"u-1"})";
    EXPECT_EQ(event("post.updated"), announced);
    const auto remove = [&](std::string etag) {
        const TestHeader header{"If-Match", std::move(etag)};
        return posts.send("DELETE", path, "", {&header, 1}).status;
    };
    EXPECT_EQ(remove("\"1\""), 412);
    EXPECT_EQ(posts.get(path).status, 200);
    EXPECT_EQ(remove("\"2\""), 204);
    EXPECT_EQ(remove("*"), 404);
    EXPECT_EQ(posts.get(path).status, 404);
    EXPECT_EQ(posts.patch(path, {{"text", "late"}}).status, 404);
    EXPECT_EQ(posts.get("/posts?userId=u-1").body, R"({"items":[]})");
    EXPECT_EQ(event("post.deleted"), announced);
}

} // namespace
} // namespace post::post_test
