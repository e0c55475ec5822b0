#include <sys/wait.h>

#include <flotilla/store/test_database.hpp>

namespace flotilla::open_database_test {
namespace {

using test::TestDatabase;
using test::value;

Error refusal(Loop& loop, const std::string& url, std::string_view owner) {
    const auto opened = open_database(loop.world(), url, owner);
    return opened ? Error(Kind::internal, "it was opened") : opened.error();
}

// Goal: two services of one process cannot share a file, whichever way they spell it.
TEST(OpenDatabase, OpenForSecondOwnerIsRefused) {
    const test::TemporaryFolder folder;
    TestDatabase store(folder.url("shop.db"), "order-service");
    const auto error = refusal(store.loop(), folder.url("./shop.db"), "user-service");
    EXPECT_EQ(error.kind(), Kind::unavailable);
    EXPECT_EQ(error.message(),
              "the database " + (folder.path() / "shop.db").string() + " is in use by order-service (this process)");
    const auto same = store.open_another(folder.url("shop.db"), "order-service");
    EXPECT_TRUE(same->health());
}

// Goal: two processes cannot share a file, and the message names who has it.
TEST(OpenDatabase, OpenInSecondProcessIsRefused) {
    const test::TemporaryFolder folder;
    std::array<int, 2> opened{};
    std::array<int, 2> finish{};
    ASSERT_EQ(::pipe(opened.data()), 0);
    ASSERT_EQ(::pipe(finish.data()), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::close(finish[1]);
        {
            TestDatabase held(folder.url("shop.db"), "order-service");
            char byte = 'x';
            if (::write(opened[1], &byte, 1) != 1) ::_exit(1);
            if (::read(finish[0], &byte, 1) != 0) ::_exit(2); // until the parent closes its end
        }
        ::_exit(0);
    }
    ::close(finish[0]);
    char byte = 0;
    ASSERT_EQ(::read(opened[0], &byte, 1), 1);
    Loop loop;
    const auto error = refusal(loop, folder.url("shop.db"), "order-service");
    EXPECT_EQ(error.kind(), Kind::unavailable);
    EXPECT_EQ(error.message(), "the database " + (folder.path() / "shop.db").string() +
                                   " is in use by order-service (process " + std::to_string(child) + ")");
    ::close(finish[1]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    ::close(opened[0]);
    ::close(opened[1]);
    TestDatabase next(folder.url("shop.db"), "order-service");
    EXPECT_TRUE(next.database().health());
}

// Goal: missing folders are made, data stays over a restart, and no lock file is left.
TEST(OpenDatabase, OpenAgainFindsTheData) {
    const test::TemporaryFolder folder;
    {
        TestDatabase store(folder.url("a/b/shop.db"));
        value(store.execute("CREATE TABLE things (id TEXT)"));
        value(store.execute("INSERT INTO things VALUES ('kept')"));
    }
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "a/b/shop.db.lock"));
    TestDatabase store(folder.url("a/b/shop.db"), "another-owner");
    EXPECT_EQ(value(store.select<std::string>("SELECT id FROM things")), (std::vector<std::string>{"kept"}));
}

// Goal: the last one out leaves everything in the file itself, scans and other loops or not: a copy of it is the
// database.
TEST(OpenDatabase, CloseLeavesAllInTheFile) {
    const test::TemporaryFolder folder;
    {
        TestDatabase store(folder.url("shop.db"));
        const auto other_loop = store.open_another(folder.url("shop.db"));
        value(store.execute("CREATE TABLE things (id TEXT)"));
        value(store.execute("INSERT INTO things VALUES ('kept')"));
        value(store.select<std::string>("SELECT id FROM things"));
        EXPECT_GT(std::filesystem::file_size(folder.path() / "shop.db-wal"), 0);
    }
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "shop.db-wal"));
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "shop.db-shm"));
    std::filesystem::copy_file(folder.path() / "shop.db", folder.path() / "copy.db");
    TestDatabase copy(folder.url("copy.db"));
    EXPECT_EQ(value(copy.select<std::string>("SELECT id FROM things")), (std::vector<std::string>{"kept"}));
}

// Goal: a path is a path, whatever characters it holds; what a URL cannot hold as it is, is refused rather than
// guessed.
TEST(OpenDatabase, OpenOddPathsUsesTheFileOfThatName) {
    const test::TemporaryFolder folder;
    for (const std::string name : {"odd?x.db", "a#b.db", "100%.db", "%41.db", "it's \"so\".db", "\xC3\xA9 \n.db"}) {
        const auto path = folder.path() / name;
        {
            TestDatabase store(sqlite_url(path.string()) + "?bodies=twice");
            value(store.execute("CREATE TABLE things (id TEXT)"));
        }
        EXPECT_TRUE(std::filesystem::exists(path)) << path;
    }
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 6);
    Loop loop;
    EXPECT_EQ(refusal(loop, "sqlite:/tmp/a#b.db", "a").kind(), Kind::invalid);
    EXPECT_EQ(refusal(loop, "sqlite:/tmp/100%.db", "a").kind(), Kind::invalid);
    EXPECT_EQ(refusal(loop, "sqlite:/tmp/%00.db", "a").kind(), Kind::invalid);
}

// Goal: databases in memory are apart by owner and by name, and end with their last object.
TEST(OpenDatabase, OpenInMemoryIsApartAndTemporary) {
    TestDatabase a("sqlite::memory:", "a-service");
    TestDatabase b("sqlite::memory:", "b-service");
    value(a.execute("CREATE TABLE things (id TEXT)"));
    value(b.execute("CREATE TABLE things (id TEXT)"));
    {
        const auto named = a.open_another("sqlite::memory:other", "a-service");
        Context context(a.world());
        EXPECT_FALSE(a.loop().run_until_done(named->select<std::string>(context, "SELECT id FROM things")));
    }
    {
        const auto again = a.open_another("sqlite::memory:", "a-service");
        Context context(a.world());
        EXPECT_TRUE(a.loop().run_until_done(again->select<std::string>(context, "SELECT id FROM things")));
    }
}

// Goal: a URL that cannot be right is refused with what was expected.
TEST(OpenDatabase, OpenBadUrlIsRefused) {
    Loop loop;
    EXPECT_EQ(refusal(loop, "mysql://x", "a").kind(), Kind::invalid);
    EXPECT_EQ(refusal(loop, "sqlite:", "a").kind(), Kind::invalid);
    EXPECT_EQ(refusal(loop, "sqlite:/tmp/x.db?bodies=thrice", "a").kind(), Kind::invalid);
    EXPECT_EQ(refusal(loop, "sqlite:/dev/null/x.db", "a").kind(), Kind::unavailable);
}

} // namespace
} // namespace flotilla::open_database_test
