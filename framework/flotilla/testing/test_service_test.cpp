#include <flotilla/testing/test_service.hpp>

#include <gtest/gtest.h>

#include <filesystem>

namespace flotilla::test_service_test {
namespace {

struct Word {
    std::string text;
};
struct WordId {
    std::string id;
};

constexpr Service dictionary{"dictionary-service"};
constexpr Endpoint<WordId, Word> look_up{dictionary, Method::get, "/words/{id}"};
constexpr Endpoint<Word, Word> add{dictionary, Method::post, "/words", {.success = 201}};
constexpr Endpoint<WordId, Word> translate{dictionary, Method::get, "/translations/{id}"};
constexpr ErrorCode unknown_word{"unknown_word", Kind::not_found, "There is no word {}"};
constexpr Topic<Word> added{"word.added", {.key = &Word::text}};

constexpr Migration kMigrations[] = {{1, "0001_words", "CREATE TABLE words (text TEXT PRIMARY KEY);"}};

constexpr Table<Word> word_table{"words"};
constexpr auto kByLengthLine = __LINE__ + 1;
constexpr Query<Word, int> by_length{"FROM words WHERE size = $1"}; // there is no such column

/// Keeps words, has them translated by another service, and takes over those that are announced.
class Words {
public:
    Words(Database& database, Calls& calls, Publisher<Word>& added)
        : database_(database), calls_(calls), added_(added) {}

    task<Result<Word>> add(Context& context, Word request) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) {
            insert(tx, request);
            added_.publish(tx, request);
            return request;
        });
    }
    task<Result<Word>> find(Context& context, WordId request) {
        co_return co_await must(database_.find(context, word_table, request.id),
                                or_none(unknown_word.with(request.id)));
    }
    task<Result<Word>> translate(Context& context, WordId request) {
        co_return co_await calls_.call(context, look_up, request);
    }
    Result<void> take_over(Transaction& tx, const Received<Word>& word) {
        insert(tx, word.event);
        return {};
    }
    static void insert(Transaction& tx, const Word& word) { std::ignore = tx.try_insert(word_table, word); }

private:
    Database& database_;
    Calls& calls_;
    Publisher<Word>& added_;
};

void install(Host& host) {
    auto& words =
        host.own<Words>(host.database(kMigrations, {word_table}), host.calls({dictionary}), host.publishes(added));
    host.serve(add, &Words::add, words);
    host.serve(look_up, &Words::find, words);
    host.serve(translate, &Words::translate, words);
    host.on(added, &Words::take_over, words);
}

Fake french() {
    return fake(look_up, [](WordId word) -> Result<Word> {
        if (word.id == "sea") return Word{"mer"};
        return unknown_word.with(word.id);
    });
}

// Goal: a fake answers as the other service would, errors included.
TEST(TestService, FakesAnswerForOtherServices) {
    TestService words{install, {.fakes = {french()}}};
    EXPECT_EQ(words.get("/translations/sea").body, R"({"text":"mer"})");
    const auto unknown = words.get("/translations/moon");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_EQ(unknown.json().at("code"), "unknown_word");
    EXPECT_EQ(unknown.json().at("error"), "There is no word moon");
}

// Goal: without a fake the other service is simply not there.
TEST(TestService, MissingFakeIsUnavailable) {
    TestService words{install};
    EXPECT_EQ(words.get("/translations/sea").status, 503);
}

// Goal: the seed is there before the first request.
TEST(TestService, SeedIsThereFromTheStart) {
    TestService words{install, {.seed = [](Transaction& tx) -> Result<void> {
                          Words::insert(tx, {"boat"});
                          return {};
                      }}};
    EXPECT_EQ(words.get("/words/boat").status, 200);
    EXPECT_EQ(words.get("/words/ship").status, 404);
}

// Goal: events go both ways: what it publishes is heard, what is delivered is handled.
TEST(TestService, EventsGoBothWays) {
    TestService words{install};
    ASSERT_EQ(words.post("/words", {{"text", "sail"}}).status, 201);
    const auto event = words.next_event("word.added");
    EXPECT_EQ(event.payload, R"({"text":"sail"})");
    EXPECT_EQ(event.key, "sail");
    words.deliver(added, {.text = "oar"}, "event-1");
    EXPECT_TRUE(eventually([&] { return words.get("/words/oar").status == 200; }));
}

// Goal: a start that fails throws with the reason and leaves nothing behind.
TEST(TestService, FailingStartThrows) {
    const auto reason = [](TestOptions options, Install how = install) {
        try {
            TestService words{how, std::move(options)};
        } catch (const std::exception& failure) {
            return std::string(failure.what());
        }
        return std::string("started");
    };
    EXPECT_EQ(reason({.seed = [](Transaction&) -> Result<void> { return unknown_word.with("x"); }}),
              "seed: There is no word x");
    EXPECT_EQ(reason({.settings = {{"colour", "red"}}}), "prepare: --set colour: there is no such setting");
    EXPECT_EQ(reason({.bus = "carrier-pigeon:"}).substr(0, 5), "bus: ");
    EXPECT_EQ(reason({}, [](Host&) { throw std::runtime_error("no luck"); }), "no luck");
    EXPECT_EQ(reason({.fakes = {french(), french()}}).substr(0, 10), "two routes");
    const auto unprepared = reason({}, [](Host& host) { host.database(kMigrations, {word_table, by_length}); });
    EXPECT_TRUE(unprepared.contains("test_service_test.cpp:" + std::to_string(kByLengthLine) + ": ")) << unprepared;
    EXPECT_TRUE(unprepared.contains("no such column: size: SELECT text FROM words")) << unprepared;
}

// Goal: a temporary folder goes with its service, a given one stays.
TEST(TestService, TemporaryFolderGoes) {
    std::string folder;
    {
        TestService words{install};
        folder = words.data();
        EXPECT_TRUE(std::filesystem::exists(folder + "/service-under-test.db"));
    }
    EXPECT_FALSE(std::filesystem::exists(folder));
    {
        TestService words{install, {.data = folder}};
        ASSERT_EQ(words.post("/words", {{"text", "keel"}}).status, 201);
    }
    {
        TestService words{install, {.data = folder}};
        EXPECT_EQ(words.get("/words/keel").status, 200);
    }
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace flotilla::test_service_test
