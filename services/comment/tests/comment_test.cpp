#include "services/comment/comment.hpp"

#include <gtest/gtest.h>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/comment/api/comment.hpp"
#include "services/post/api/post.hpp"
#include "services/user/api/user.hpp"

namespace comment::comment_test {
namespace {

using namespace flotilla;

/// Knows user u-1, and every post whose id begins with p-.
std::vector<Fake> others() {
    return {fake(user::get,
                 [](user::UserId id) -> Result<user::User> {
                     if (id.id != "u-1") return user::user_not_found;
                     return user::User{.id = id.id, .email = "ada@example.com", .name = "Ada"};
                 }),
            fake(post::get, [](post::PostId id) -> Result<post::Post> {
                if (!id.id.starts_with("p-")) return post::post_not_found;
                return post::Post{.id = id.id, .user_id = "u-1", .text = "Land ahoy"};
            })};
}

class CommentTest : public testing::Test {
protected:
    TestResponse say(std::string post, const char* text, const char* user = "u-1") {
        return comments.post("/comments", {{"postId", post}, {"userId", user}, {"text", text}});
    }
    std::string id_of(const TestResponse& response) { return std::string(response.json().at("id").as_string()); }
    boost::json::array about(const std::string& post) {
        return comments.get("/comments?limit=100&postId=" + post).json().at("items").as_array();
    }

    TestService comments{install, {.fakes = others()}};
};

// Goal: a comment is stored as it was written, and announced; of a post's they come oldest first, page by page.
TEST_F(CommentTest, CommentsOfAPostComeInTheirOrder) {
    const auto made = say("p-1", "Aye");
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().as_object().size(), 5U) << made.body;
    EXPECT_EQ(comments.get("/comments/" + id_of(made)).body, made.body);
    const auto event = comments.next_event("comment.created");
    EXPECT_EQ(event.payload, R"({"commentId":")" + id_of(made) + R"(","postId":"p-1","userId":"u-1"})");
    EXPECT_EQ(event.key, "p-1");
    ASSERT_EQ(say("p-2", "elsewhere").status, 201);
    const auto second = say("p-1", "Aye, aye").json().at("id");
    const auto page = comments.get("/comments?postId=p-1&limit=1").json();
    EXPECT_EQ(page.at("items").as_array().at(0).at("id"), made.json().at("id"));
    const auto rest = comments.get("/comments?postId=p-1&after=" + std::string(page.at("next").as_string())).json();
    EXPECT_EQ(rest.at("items").as_array().size(), 1U);
    EXPECT_EQ(rest.at("items").as_array().at(0).at("id"), second);
    EXPECT_FALSE(rest.as_object().contains("next"));
}

// Goal: post and author must be there; every bad field is named; a repeated key says it once.
TEST_F(CommentTest, BadCommentIsRefusedAndRepeatedKeySaysItOnce) {
    EXPECT_EQ(say("gone", "x").json().at("code"), "post_not_found");
    EXPECT_EQ(say("gone", "x").status, 400);
    EXPECT_EQ(say("p-1", "x", "u-9").json().at("code"), "user_not_found");
    const auto bad = comments.post("/comments", {{"postId", 7}, {"text", ""}});
    EXPECT_EQ(bad.json().at("errors").as_array().size(), 3U) << bad.body;
    const auto once = [&] {
        return comments.post("/comments", {{"postId", "p-1"}, {"userId", "u-1"}, {"text", "once"}},
                             idempotency_key("k-1"));
    };
    const auto first = once(), again = once();
    EXPECT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(about("p-1").size(), 1U);
    EXPECT_EQ(comments.get("/comments/none").json().at("code"), "comment_not_found");
    EXPECT_EQ(comments.get("/comments").status, 400);
}

// Goal: a comment is changed and deleted from the version that was read, and others hear of both.
TEST_F(CommentTest, ChangeAndDeleteExpectTheVersion) {
    const auto path = "/comments/" + id_of(say("p-1", "Aye"));
    const auto changed = comments.patch(path, {{"text", "Nay"}}, {{"If-Match", "\"1\""}});
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.json().at("text"), "Nay");
    EXPECT_EQ(comments.patch(path, {{"text", "Maybe"}}, {{"If-Match", "\"1\""}}).status, 412);
    const auto remove = [&](std::string etag) {
        const TestHeader header{"If-Match", std::move(etag)};
        return comments.send("DELETE", path, "", {&header, 1}).status;
    };
    EXPECT_EQ(remove("\"1\""), 412);
    EXPECT_EQ(remove("\"2\""), 204);
    EXPECT_EQ(comments.get(path).status, 404);
    EXPECT_EQ(about("p-1").size(), 0U);
    EXPECT_TRUE(comments.next_event("comment.updated").payload.contains("p-1"));
    EXPECT_TRUE(comments.next_event("comment.deleted").payload.contains("p-1"));
}

// Goal: a deleted post takes its comments along, and no others; who saw it a moment before
// comments on it in vain.
TEST_F(CommentTest, DeletedPostTakesItsCommentsAlong) {
    std::string first;
    for (int i = 0; i < 3; ++i)
        first = id_of(say("p-1", "Aye"));
    ASSERT_EQ(say("p-2", "Stays").status, 201);
    comments.deliver(post::deleted, {.post_id = "p-1", .user_id = "u-1"}, "e-1");
    EXPECT_TRUE(eventually([&] { return about("p-1").empty(); }));
    EXPECT_TRUE(eventually([&] { return comments.get("/comments/" + first).status == 404; }));
    EXPECT_EQ(about("p-2").size(), 1U);
    EXPECT_EQ(say("p-1", "late").json().at("code"), "post_not_found");
}

/// Two thousand comments on p-1, and one on p-2.
Result<void> many_comments(Transaction& tx) {
    auto added = tx.execute("INSERT INTO comments WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                            "WHERE i <= 2000) SELECT 'c-' || i, CASE i WHEN 1 THEN 'p-2' ELSE 'p-1' END, 'u-1', "
                            "'Aye', 1, 1 FROM n");
    if (!added) return std::move(added.error());
    return {};
}

// Goal: however many there are they all go, some at a time.
TEST(CommentRemoval, MoreThanGoAtOnceAreAllRemoved) {
    TestService comments{install, {.seed = many_comments}};
    EXPECT_EQ(comments.get("/comments/c-2001").status, 200);
    comments.deliver(post::deleted, {.post_id = "p-1", .user_id = "u-1"}, "e-1");
    for (const auto* id : {"c-2", "c-1000", "c-2001"})
        EXPECT_TRUE(eventually([&] { return comments.get("/comments/" + std::string(id)).status == 404; })) << id;
    EXPECT_EQ(comments.get("/comments/c-1").status, 200);
}

} // namespace
} // namespace comment::comment_test
