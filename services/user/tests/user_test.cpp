#include "services/user/user.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include <flotilla/base/json_value.hpp>
#include <flotilla/testing/test_service.hpp>

#include "services/user/api/user.hpp"

namespace user::user_test {
namespace {

using namespace flotilla;

// Goal: the answer has exactly the API's members, and the event tells the same.
TEST(UserCreate, NewUserIsAnsweredStoredAndPublished) {
    TestService users{install};
    const auto made = users.post("/users", {{"email", "ada@example.com"}, {"name", "Ada"}});
    ASSERT_EQ(made.status, 201) << made.body;
    const auto user = made.json().as_object();
    EXPECT_EQ(user.size(), 4U) << made.body;
    EXPECT_EQ(user.at("email"), "ada@example.com");
    EXPECT_EQ(user.at("name"), "Ada");
    EXPECT_TRUE(Timestamp::parse(user.at("createdAt").as_string().c_str())) << made.body;

    const std::string id(user.at("id").as_string());
    EXPECT_EQ(users.get("/users/" + id).body, made.body);

    const auto event = users.next_event("user.created");
    EXPECT_EQ(event.payload, R"({"userId":")" + id + R"(","email":"ada@example.com","name":"Ada"})");
    EXPECT_EQ(event.key, id);
    EXPECT_EQ(event.sequence, 1U);
}

// Goal: an address makes one user, whatever its case; the message is the one clients know.
TEST(UserCreate, SameEmailIsRefused) {
    TestService users{install};
    ASSERT_EQ(users.post("/users", {{"email", "ada@example.com"}, {"name", "Ada"}}).status, 201);
    const auto again = users.post("/users", {{"email", "ADA@example.com"}, {"name", "Other"}});
    EXPECT_EQ(again.status, 400);
    EXPECT_EQ(again.headers.at("content-type"), "application/problem+json");
    EXPECT_EQ(again.json().at("error"), "User already exists");
    EXPECT_EQ(again.json().at("code"), "user_exists");
}

// Goal: case and spelling of any script do not make a second user; the address is shown as it was given.
TEST(UserCreate, SameEmailInOtherLettersIsRefused) {
    TestService users{install};
    const auto made = users.post("/users", {{"email", "ÉLISE@Bücher.example"}, {"name", "Élise"}});
    ASSERT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.json().at("email"), "ÉLISE@Bücher.example");
    for (const auto* email : {"élise@bücher.example", "e\u0301lise@BÜCHER.example", "élise@xn--bcher-kva.example"}) {
        const auto again = users.post("/users", {{"email", email}, {"name", "Other"}});
        EXPECT_EQ(again.status, 400) << email;
        EXPECT_EQ(again.json().at("code"), "user_exists") << email;
    }
    EXPECT_EQ(users.post("/users", {{"email", "elise@bücher.example"}, {"name", "Elise"}}).status, 201);
}

/// As a release left it that knew ASCII's case only.
Result<void> age(Transaction& tx) {
    if (auto anew = tx.execute("DELETE FROM flotilla_migrations WHERE component = 'service.backfill'"); !anew)
        return std::move(anew.error());
    struct Row {
        const char *id, *email, *identity;
    };
    for (const auto& row :
         {Row{"u-1", "ZOË@Example.com", "zoË@example.com"}, Row{"u-2", "zoë@example.com", "zoë@example.com"},
          Row{"u-3", "ÉLISE@example.com", "ÉLISE@example.com"}, Row{"u-4", "Ada@example.com", "ada@example.com"}}) {
        auto inserted =
            tx.execute("INSERT INTO users (id, email, email_identity, name, created_at) VALUES ($1, $2, $3, 'N', 1)",
                       row.id, row.email, row.identity);
        if (!inserted) return std::move(inserted.error());
    }
    return {};
}

// Goal: users from before are found under the new rule; two who share an address under it stay, and nothing fails.
TEST(UserCreate, UsersFromBeforeAreFolded) {
    const auto folder = std::filesystem::temp_directory_path() / ("flotilla-user-old-" + std::to_string(::getpid()));
    {
        TestService users{install, {.seed = age, .data = folder.string()}};
    }
    {
        TestService users{install, {.data = folder.string()}};
        for (const auto* email : {"élise@example.com", "Zoë@example.com", "ADA@example.com"}) {
            const auto again = users.post("/users", {{"email", email}, {"name", "Other"}});
            EXPECT_EQ(again.json().at("code"), "user_exists") << email;
        }
        EXPECT_EQ(users.get("/users/u-1").json().at("email"), "ZOË@Example.com");
        EXPECT_EQ(users.get("/users/u-2").json().at("email"), "zoë@example.com");
        EXPECT_EQ(users.get("/users/u-3").json().at("email"), "ÉLISE@example.com");
    }
    std::filesystem::remove_all(folder);
}

// Goal: every bad field is named at once.
TEST(UserCreate, BadRequestNamesEveryField) {
    TestService users{install};
    const auto refused = users.post("/users", {{"email", 7}, {"name", ""}});
    ASSERT_EQ(refused.status, 400);
    const auto errors = refused.json().at("errors").as_array();
    ASSERT_EQ(errors.size(), 2U) << refused.body;
    EXPECT_EQ(errors[0].at("path"), "email");
    EXPECT_EQ(errors[1].at("path"), "name");
    EXPECT_EQ(users.post("/users", {{"email", "nobody"}, {"name", "N"}}).json().at("code"), "invalid_email");
}

// Goal: a repeated Idempotency-Key gives the same user back; with another body it is refused.
TEST(UserCreate, ReplayedKeyCreatesOnce) {
    TestService users{install};
    const auto first = users.post("/users", {{"email", "a@example.com"}, {"name", "A"}}, idempotency_key("k-1"));
    const auto replay = users.post("/users", {{"email", "a@example.com"}, {"name", "A"}}, idempotency_key("k-1"));
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(replay.status, 201);
    EXPECT_EQ(replay.body, first.body);
    EXPECT_EQ(replay.headers.at("idempotency-replayed"), "true");
    EXPECT_EQ(users.post("/users", {{"email", "b@example.com"}, {"name", "B"}}, idempotency_key("k-1")).status, 422);
}

/// A user on their own, and how to change them.
class UserUpdate : public testing::Test {
protected:
    UserUpdate() : made(users.post("/users", {{"email", "ada@example.com"}, {"name", "Ada"}})) {
        path = "/users/" + std::string(made.json().at("id").as_string());
    }
    TestResponse change(const boost::json::value& to, std::initializer_list<TestHeader> headers = {}) {
        return users.patch(path, to, headers);
    }

    TestService users{install};
    TestResponse made;
    std::string path;
};

// Goal: a change touches what it names, null takes the bio away, and others hear of it.
TEST_F(UserUpdate, GivenFieldsChangeAndAreAnnounced) {
    const auto changed = change({{"name", "Ada L."}, {"bio", "Counts."}});
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.json().at("name"), "Ada L.");
    EXPECT_EQ(changed.json().at("bio"), "Counts.");
    EXPECT_EQ(changed.json().at("email"), "ada@example.com");
    EXPECT_EQ(changed.json().at("createdAt"), made.json().at("createdAt"));
    EXPECT_EQ(users.get(path).body, changed.body);
    const auto event = users.next_event("user-updated");
    const std::string id = path.substr(7);
    EXPECT_EQ(event.payload, R"({"userId":")" + id + R"(","email":"ada@example.com","name":"Ada L."})");
    EXPECT_EQ(event.key, id);
    EXPECT_FALSE(change({{"bio", nullptr}}).json().as_object().contains("bio"));
    EXPECT_EQ(users.patch("/users/none", {{"name", "X"}}).json().at("code"), "user_not_found");
    EXPECT_EQ(change({{"name", ""}, {"email", 7}}).json().at("errors").as_array().size(), 2U);
    EXPECT_EQ(change({{"email", "nobody"}}).json().at("code"), "invalid_email");
}

// Goal: an address stays one user's, in whatever spelling; one's own may be spelled anew, and a left one is free.
TEST_F(UserUpdate, AddressStaysUnique) {
    ASSERT_EQ(users.post("/users", {{"email", "bob@example.com"}, {"name", "Bob"}}).status, 201);
    const auto taken = change({{"email", "BOB@example.com"}});
    EXPECT_EQ(taken.status, 400);
    EXPECT_EQ(taken.json().at("code"), "user_exists");
    EXPECT_EQ(change({{"email", "ADA@example.com"}}).json().at("email"), "ADA@example.com");
    EXPECT_EQ(change({{"email", "ada@example.org"}}).status, 200);
    EXPECT_EQ(users.post("/users", {{"email", "ada@example.com"}, {"name", "Other"}}).status, 201);
    EXPECT_EQ(users.post("/users", {{"email", "ADA@example.org"}, {"name", "Other"}}).status, 400);
}

// Goal: of two who read the same profile one changes it; what says nothing new is no change, and no event.
TEST_F(UserUpdate, OtherVersionIsRefused) {
    EXPECT_EQ(made.headers.at("etag"), "\"1\"");
    EXPECT_EQ(users.get(path, {{"If-None-Match", "\"1\""}}).status, 304);
    const auto same = change({{"name", "Ada"}}, {{"If-Match", "\"1\""}});
    EXPECT_EQ(same.status, 200) << same.body;
    EXPECT_EQ(same.headers.at("etag"), "\"1\"");
    EXPECT_EQ(change({{"name", "First"}}, {{"If-Match", "\"1\""}, idempotency_key("k")}).headers.at("etag"), "\"2\"");
    EXPECT_EQ(change({{"name", "Second"}}, {{"If-Match", "\"1\""}}).status, 412);
    EXPECT_EQ(change({{"name", "First"}}, {{"If-Match", "\"1\""}}).status, 412);
    const auto replay = change({{"name", "First"}}, {{"If-Match", "\"1\""}, idempotency_key("k")});
    EXPECT_EQ(replay.status, 200);
    EXPECT_EQ(replay.headers.at("etag"), "\"2\"");
    EXPECT_TRUE(users.next_event("user-updated").payload.contains("First"));
}

// Goal: ids are opaque: one that cannot exist is not found, not malformed.
TEST(UserGet, UnknownIdIsNotFound) {
    TestService users{install};
    const auto missing = users.get("/users/123");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(missing.json().at("error"), "User not found");
}

// Goal: the framework's own pages answer, and metrics speak of the route, not of the path.
TEST(UserService, HealthAndMetricsAnswer) {
    TestService users{install};
    ASSERT_EQ(users.get("/users/123").status, 404);
    EXPECT_EQ(users.get("/livez").status, 200);
    const auto ready = users.get("/readyz");
    EXPECT_EQ(ready.status, 200) << ready.body;
    EXPECT_EQ(ready.json().at("checks").at("database").at("status"), "ok");
    const auto metrics = users.get("/metrics").body;
    EXPECT_TRUE(metrics.contains(
        R"(http_server_request_duration_seconds_count{http_request_method="GET",http_route="/users/{id}",http_response_status_code="404"} 1)"))
        << metrics;
}

// Goal: what a service answered is there after a restart on the same folder.
TEST(UserService, RestartKeepsUsers) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("flotilla-user-restart-" + std::to_string(::getpid()));
    std::string id;
    {
        TestService users{install, {.data = folder.string()}};
        id = users.post("/users", {{"email", "ada@example.com"}, {"name", "Ada"}}).json().at("id").as_string();
    }
    {
        TestService users{install, {.data = folder.string()}};
        EXPECT_EQ(users.get("/users/" + id).status, 200);
        EXPECT_EQ(users.post("/users", {{"email", "ada@example.com"}, {"name", "Ada"}}).status, 400);
    }
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace user::user_test
