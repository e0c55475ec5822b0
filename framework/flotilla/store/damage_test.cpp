#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include <flotilla/store/test_database.hpp>

namespace flotilla::damage_test {
namespace {

using sqlite::FileDamage;
using test::TestDatabase;
using test::value;

constexpr std::string_view kFill =
    "INSERT INTO things WITH RECURSIVE each (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE n < 4000) "
    "SELECT n, hex(randomblob(400)) FROM each";

template <class T>
std::string code_of(const Result<T>& outcome) {
    return outcome ? "none" : outcome.error().code();
}

/// A folder with a database of 4 MB, closed.
class DamageTest : public testing::Test {
protected:
    void SetUp() override {
        TestDatabase store(url);
        value(store.execute("CREATE TABLE things (id BIGINT PRIMARY KEY, text TEXT)"));
        value(store.execute("CREATE INDEX by_text ON things (text)"));
        value(store.execute(std::string(kFill)));
    }
    /// Pages in the middle of the file, where rows and index lie.
    void overwrite(std::streamoff from, std::size_t bytes) const {
        std::fstream target(file, std::ios::in | std::ios::out | std::ios::binary);
        target.seekp(from);
        target << std::string(bytes, '\xA5') << std::flush;
        ASSERT_TRUE(target.good());
    }
    void overwrite_all_but_the_schema() const { overwrite(16384, std::filesystem::file_size(file) - 16384); }
    static Result<std::int64_t> insert(TestDatabase& store, std::int64_t id) {
        return store.transact([id](Transaction& transaction) {
            return transaction.execute("INSERT INTO things VALUES ($1, 'new' || $1)", id);
        });
    }

    test::TemporaryFolder folder;
    std::string file = (folder.path() / "shop.db").string();
    std::string url = sqlite_url(file);
};

// Goal: damage met while it runs is no passing trouble: its kind says so, health names the file and what to do, stays
// so whatever else can still be read, and nothing more is acknowledged.
TEST_F(DamageTest, MeetDamageWhileRunningStaysInHealth) {
    TestDatabase store(url);
    EXPECT_TRUE(store.database().health());
    EXPECT_TRUE(store.database().fully_checked());
    overwrite_all_but_the_schema();
    const auto refused = store.execute("UPDATE things SET text = 'x' || id"); // more pages than memory keeps
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), Kind::internal) << refused.error().message();
    EXPECT_EQ(refused.error().code(), FileDamage::kCode);
    const auto health = store.database().health();
    ASSERT_FALSE(health);
    EXPECT_NE(health.error().message().find(file), std::string::npos) << health.error().message();
    EXPECT_NE(health.error().message().find("./flotilla restore"), std::string::npos);

    EXPECT_EQ(value(store.find<std::int64_t>("SELECT count(*) FROM sqlite_schema")), 2);
    EXPECT_FALSE(store.database().health()) << "another page that is well says nothing";
    EXPECT_EQ(code_of(store.execute("CREATE TABLE other (id TEXT)")), FileDamage::kCode);
}

// Goal: damage that only a read meets is told the same way.
TEST_F(DamageTest, MeetDamageInAScanStaysInHealth) {
    TestDatabase store(url);
    overwrite_all_but_the_schema();
    const auto read = store.select<std::int64_t>("SELECT sum(length(text)) FROM things");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), FileDamage::kCode) << read.error().message();
    EXPECT_EQ(code_of(store.database().health()), FileDamage::kCode);
}

// Goal: a damaged file is named when it is opened, before anybody relies on it, wherever in it the damage is.
TEST_F(DamageTest, OpenDamagedFileIsRefusedWithItsName) {
    overwrite(static_cast<std::streamoff>(std::filesystem::file_size(file)) - 8 * 4096, 8 * 4096);
    Loop loop;
    const auto opened = open_database(loop.world(), url, "test-service");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), FileDamage::kCode) << opened.error().message();
    EXPECT_NE(opened.error().message().find(file), std::string::npos);
    EXPECT_NE(opened.error().message().find("./flotilla restore"), std::string::npos);
}

// Goal: what is written into files that have no name any more would be gone with the process: it is refused.
TEST_F(DamageTest, TakeFilesAwayStopsWriting) {
    for (const std::string suffix : {"", "-wal"}) {
        TestDatabase store(url);
        EXPECT_TRUE(insert(store, 10'000));
        std::filesystem::rename(file + suffix, file + ".away");
        EXPECT_EQ(code_of(store.database().health()), FileDamage::kCode);
        EXPECT_EQ(code_of(insert(store, 10'001)), FileDamage::kCode);
        std::filesystem::rename(file + ".away", file + suffix);
        EXPECT_FALSE(store.database().health()) << "what was written meanwhile nobody knows";
        std::filesystem::remove(file + "-wal");
    }
}

// Goal: a log that cannot be copied into the file is told, though every commit still succeeds, and no more once it can.
TEST_F(DamageTest, FailToCheckpointIsToldUntilItSucceeds) {
    constexpr rlim_t kRoomForTheLog = 18 * 1024 * 1024;
    {
        TestDatabase store(url);
        value(store.execute("CREATE TABLE large (data TEXT)"));
        value(store.execute("INSERT INTO large VALUES (hex(zeroblob(10 * 1024 * 1024)))"));
    }
    ASSERT_GT(std::filesystem::file_size(file), kRoomForTheLog);
    TestDatabase store(url);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{kRoomForTheLog, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    EXPECT_TRUE(store.execute("INSERT INTO large VALUES (hex(zeroblob(8300 * 1024)))"));
    EXPECT_TRUE(insert(store, 10'000)) << "behind the checkpoint";
    const auto health = store.database().health();
    ::setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_FALSE(health);
    EXPECT_EQ(health.error().kind(), Kind::unavailable);
    EXPECT_NE(health.error().message().find("write-ahead log"), std::string::npos) << health.error().message();
    for (int i = 0; i < 1000 && !store.database().health(); ++i)
        EXPECT_TRUE(insert(store, 20'000 + i));
    EXPECT_TRUE(store.database().health());
}

} // namespace
} // namespace flotilla::damage_test
