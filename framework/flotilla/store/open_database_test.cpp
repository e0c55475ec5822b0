#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <latch>
#include <thread>

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

/// Holds a process back until it is opened, by closing the end that the test has.
class StartLine {
public:
    StartLine() {
        if (::pipe(ends_.data()) != 0) throw std::runtime_error("pipe failed");
    }
    StartLine(const StartLine&) = delete;
    StartLine& operator=(const StartLine&) = delete;
    ~StartLine() {
        open();
        ::close(ends_[0]);
    }
    void open() {
        if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
    }
    /// In the other process.
    void wait() {
        open(); // its own copy would keep the pipe from ending
        char byte = 0;
        (void)!::read(ends_[0], &byte, 1);
    }

private:
    std::array<int, 2> ends_{};
};

/// Runs in a process of its own, forked now and let go at the start line: what a process has open when it forks the
/// other one would believe to have open as well. What it returns is the exit code.
template <class Work>
pid_t in_process(StartLine& start, Work work) {
    const pid_t child = ::fork();
    if (child == 0) {
        start.wait();
        int code = 1;
        try {
            code = work();
        } catch (const std::exception& exception) {
            std::fprintf(stderr, "in the other process: %s\n", exception.what());
        }
        ::_exit(code);
    }
    if (child < 0) throw std::runtime_error("fork failed");
    return child;
}

int outcome_of(pid_t child) {
    int status = -1;
    return ::waitpid(child, &status, 0) == child ? status : -1;
}

std::string shared_url(const test::TemporaryFolder& folder) { return folder.url("shop.db") + "?processes=several"; }

constexpr Statement<> kCount{"UPDATE counter SET n = n + 1"};
constexpr Statement<int> kAppend{"INSERT INTO entries (position, writer, n) "
                                 "SELECT coalesce(max(position), 0) + 1, $1, (SELECT n FROM counter) FROM entries"};

/// Writes `count` rows as the outbox gets its own, each with the number that a counter has in the same transaction.
task<void> write_rows(Context& context, Database& database, int writer, int count, std::string& failure) {
    for (int i = 0; i < count; ++i) {
        const auto written = co_await database.transact(context, [writer](Transaction& transaction) {
            transaction.execute(kCount);
            transaction.execute(kAppend, writer);
            transaction.signal("rows");
        });
        if (!written) failure = written.error().message();
    }
}

/// The work of one of several processes: eight transactions at a time. Returns the exit code.
int write_beside_others(const std::string& url, int process, int count) {
    TestDatabase store(url);
    std::string failure;
    auto test = [&](Context& context) -> task<void> {
        Scope scope(context);
        for (int i = 0; i < 8; ++i)
            scope.spawn(write_rows(scope.context(), store.database(), process * 8 + i, count, failure));
        co_await scope.join();
    };
    store.run(test);
    if (!failure.empty()) std::fprintf(stderr, "%s\n", failure.c_str());
    return failure.empty() ? 0 : 1;
}

void create_rows(TestDatabase& store) {
    value(store.execute("CREATE TABLE counter (n BIGINT NOT NULL)"));
    value(store.execute("INSERT INTO counter VALUES (0)"));
    value(store.execute(
        "CREATE TABLE entries (position BIGINT NOT NULL PRIMARY KEY, writer BIGINT NOT NULL, n BIGINT NOT "
        "NULL)"));
}

// Goal: three processes that write one file at once lose nothing, meet no lock, and their commits have one order; the
// last one out leaves all of it in the file.
TEST(OpenDatabase, SeveralProcessesWriteOneFile) {
    const test::TemporaryFolder folder;
    constexpr int kProcesses = 3, kRows = 60;
    StartLine start;
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i)
        children.push_back(in_process(start, [&, i] { return write_beside_others(shared_url(folder), i, kRows); }));
    {
        TestDatabase store(shared_url(folder));
        create_rows(store);
    }
    start.open();
    for (const auto child : children)
        EXPECT_EQ(outcome_of(child), 0);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "shop.db.lock"));
    TestDatabase store(folder.url("shop.db"));
    EXPECT_EQ(value(store.select<std::int64_t>("SELECT count(*) FROM entries")).front(), kProcesses * 8 * kRows);
    EXPECT_EQ(value(store.select<std::int64_t>("SELECT count(*) FROM entries WHERE n <> position")).front(), 0);
}

/// Takes some milliseconds in the writer, again and again, until it is killed.
task<void> write_without_end(Context& context, Database& database) {
    static constexpr Query<std::int64_t> kLongWork{
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40000) SELECT count(*) FROM c"};
    while (co_await database.transact(context, [](Transaction& transaction) {
        transaction.find(kLongWork);
        transaction.execute(kCount);
    })) {
    }
}

// Goal: beside a process that writes without a pause another one is next, each time: it waits for one commit, not for
// luck.
TEST(OpenDatabase, WriterBesideABusyOneIsNext) {
    const test::TemporaryFolder folder;
    StartLine start;
    const pid_t child = in_process(start, [&] {
        TestDatabase busy(shared_url(folder));
        auto test = [&](Context& context) -> task<void> {
            Scope scope(context);
            for (int i = 0; i < 16; ++i)
                scope.spawn(write_without_end(scope.context(), busy.database()));
            co_await scope.join();
        };
        busy.run(test);
        return 1;
    });
    TestDatabase store(shared_url(folder));
    create_rows(store);
    start.open();
    while (value(store.find<std::int64_t>("SELECT n FROM counter")).value() < 32) {
    }
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 2; ++i) {
        const auto written = store.execute("UPDATE counter SET n = n + 1");
        EXPECT_TRUE(written) << written.error().message();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
    ::kill(child, SIGKILL);
    outcome_of(child);
}

// Goal: a process that is killed as it writes holds nobody up, what it was told is there, and that it has ended is
// known.
TEST(OpenDatabase, KilledProcessLeavesWhatItWasTold) {
    const test::TemporaryFolder folder;
    std::array<int, 2> told{};
    std::array<int, 2> named{};
    ASSERT_EQ(::pipe(told.data()), 0);
    ASSERT_EQ(::pipe(named.data()), 0);
    StartLine start;
    const pid_t child = in_process(start, [&] {
        TestDatabase other(shared_url(folder));
        const auto session = other.database().session();
        if (::write(named[1], session.data(), session.size()) != 36) return 2;
        std::string failure;
        auto test = [&](Context& context) -> task<void> {
            while (failure.empty()) {
                co_await write_rows(context, other.database(), 1, 1, failure);
                if (::write(told[1], "x", 1) != 1) failure = "the pipe is closed";
            }
        };
        other.run(test);
        return 1;
    });
    ::close(told[1]);
    TestDatabase store(shared_url(folder));
    create_rows(store);
    start.open();
    std::array<char, 64> bytes{};
    std::int64_t acknowledged = 0;
    const auto hear = [&] {
        const auto size = ::read(told[0], bytes.data(), bytes.size());
        acknowledged += std::max<ssize_t>(size, 0);
        return size > 0;
    };
    while (acknowledged < 100 && hear()) {
    }
    std::string session(36, ' ');
    ASSERT_EQ(::read(named[0], session.data(), session.size()), 36);
    EXPECT_FALSE(store.database().has_ended(session));
    EXPECT_FALSE(store.database().has_ended(store.database().session()));
    EXPECT_FALSE(store.database().has_ended("not an id"));
    ::kill(child, SIGKILL);
    EXPECT_EQ(outcome_of(child), SIGKILL);
    EXPECT_TRUE(store.database().has_ended(session));
    for (const int end : named)
        ::close(end);
    while (hear()) {
    }
    ::close(told[0]);
    const auto begun = std::chrono::steady_clock::now();
    value(store.execute("UPDATE counter SET n = n + 1"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
    EXPECT_GE(value(store.select<std::int64_t>("SELECT count(*) FROM entries")).front(), acknowledged);
    EXPECT_EQ(value(store.select<std::int64_t>("SELECT count(*) FROM entries WHERE n <> position")).front(), 0);
}

// Goal: a signal of a commit in another process wakes whoever listens in this one, and one's own does so once.
TEST(OpenDatabase, SignalsOfOtherProcessesAreHeard) {
    const test::TemporaryFolder folder;
    StartLine start;
    const pid_t child = in_process(start, [&] { return write_beside_others(shared_url(folder), 1, 1); });
    TestDatabase store(shared_url(folder));
    create_rows(store);
    int heard = 0;
    Event wake;
    const auto subscription = store.database().on_signal("rows", [&] {
        ++heard;
        wake.notify();
    });
    std::string failure;
    auto own = [&](Context& context) -> task<void> {
        co_await write_rows(context, store.database(), 1, 1, failure);
        (void)co_await sleep_for(context, 3 * sqlite::SqliteDatabase::kLookForSignalsEvery);
    };
    store.run(own);
    EXPECT_EQ(heard, 1);
    start.open();
    auto foreign = [&](Context& context) -> task<void> {
        Context bounded(context, std::chrono::seconds(5));
        while (heard < 2 && co_await wake.wait(bounded)) {
        }
    };
    store.run(foreign);
    EXPECT_GE(heard, 2);
    EXPECT_EQ(outcome_of(child), 0);
    EXPECT_EQ(failure, "");
}

// Goal: a turn that does not end is waited for as long as was said, and no longer; what was waiting is told why.
TEST(WriterTurns, TurnThatDoesNotEndIsNotWaitedForForever) {
    const test::TemporaryFolder folder;
    const auto lock = value(sqlite::FileLock::acquire((folder.path() / "shop.db").string(), "order-service",
                                                      sqlite::FileLock::Mode::shared));
    const auto turns = value(sqlite::WriterTurns::open(lock.descriptor()));
    const auto others = value(sqlite::WriterTurns::open(lock.descriptor()));
    std::latch begun(1), refused(1);
    std::thread holder([&] {
        const sqlite::WriterTurn turn(others.get(), std::chrono::seconds(5));
        begun.count_down();
        refused.wait();
    });
    begun.wait();
    const auto late = turns->begin(std::chrono::milliseconds(20));
    EXPECT_EQ(late ? "" : late.error().message(),
              "another process that shares the database holds it and does not go on: it is stopped, or its disk hangs");
    refused.count_down();
    holder.join();
    const sqlite::WriterTurn turn(turns.get(), std::chrono::seconds(5));
    EXPECT_TRUE(turn.begun());
}

// Goal: a file is shared by processes of one owner that all say so, and by nobody else.
TEST(OpenDatabase, SharedFileIsRefusedToOthers) {
    const test::TemporaryFolder folder;
    StartLine start;
    const pid_t child = in_process(start, [&] {
        Loop loop;
        const auto in_use =
            "the database " + (folder.path() / "shop.db").string() + " is in use by order-service (several processes)";
        EXPECT_EQ(refusal(loop, shared_url(folder), "user-service").message(), in_use);
        EXPECT_EQ(refusal(loop, folder.url("shop.db"), "order-service").message(), in_use);
        EXPECT_TRUE(open_database(loop.world(), shared_url(folder), "order-service"));
        return testing::Test::HasFailure() ? 1 : 0;
    });
    TestDatabase store(shared_url(folder), "order-service");
    start.open();
    EXPECT_EQ(outcome_of(child), 0);
    Loop loop;
    EXPECT_EQ(refusal(loop, "sqlite::memory:?processes=several", "order-service").kind(), Kind::invalid);
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
