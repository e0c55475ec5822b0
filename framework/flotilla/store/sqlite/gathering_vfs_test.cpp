#include <flotilla/store/sqlite/gathering_vfs.hpp>

#include <sys/resource.h>

#include <csignal>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <random>

#include <sqlite3.h>

#include <flotilla/store/sqlite/connection.hpp>
#include <flotilla/store/test_database.hpp>

namespace flotilla::sqlite::gathering_vfs_test {
namespace {

/// A file opened through the VFS itself, as SQLite opens a database.
class VfsFile {
public:
    explicit VfsFile(const std::string& path)
        : path_(path), name_(sqlite3_create_filename(path.c_str(), "", "", 0, nullptr)) {
        sqlite3_vfs* vfs = sqlite3_vfs_find(gathering_vfs(Gather::log_and_database));
        memory_.resize(static_cast<std::size_t>(vfs->szOsFile) / sizeof(std::max_align_t) + 1);
        const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB;
        if (vfs->xOpen(vfs, name_, file(), flags, nullptr) != SQLITE_OK) {
            throw std::runtime_error("cannot open " + path_);
        }
    }
    VfsFile(const VfsFile&) = delete;
    VfsFile& operator=(const VfsFile&) = delete;
    ~VfsFile() {
        close();
        sqlite3_free_filename(name_);
    }
    int write(std::string_view text, std::int64_t at) {
        return methods().xWrite(file(), text.data(), static_cast<int>(text.size()), at);
    }
    int sync() { return methods().xSync(file(), SQLITE_SYNC_NORMAL); }
    std::string read(std::size_t size, std::int64_t at) {
        std::string text(size, '?');
        EXPECT_EQ(methods().xRead(file(), text.data(), static_cast<int>(size), at), SQLITE_OK);
        return text;
    }
    std::int64_t size() {
        sqlite3_int64 bytes = -1;
        EXPECT_EQ(methods().xFileSize(file(), &bytes), SQLITE_OK);
        return bytes;
    }
    int control(int operation) { return methods().xFileControl(file(), operation, nullptr); }
    int unlock() { return methods().xUnlock(file(), SQLITE_LOCK_NONE); }
    int truncate(std::int64_t size) { return methods().xTruncate(file(), size); }
    int close() {
        if (!file()->pMethods) return SQLITE_OK;
        const int code = methods().xClose(file());
        file()->pMethods = nullptr;
        return code;
    }
    /// What the system has of it.
    std::string on_disk() const {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

private:
    sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory_.data()); }
    const sqlite3_io_methods& methods() { return *file()->pMethods; }
    std::string path_;
    sqlite3_filename name_; // as long as the file is open: SQLite's VFS keeps the pointer
    std::vector<std::max_align_t> memory_;
};

class GatheringVfsTest : public testing::Test {
protected:
    test::TemporaryFolder folder;
    std::string path = (folder.path() / "file").string();
};

// Goal: pieces that follow each other wait for the sync; whatever asks for the content before sees them.
TEST_F(GatheringVfsTest, PiecesAreWrittenWithTheSync) {
    VfsFile file(path);
    EXPECT_EQ(file.write("head", 0), SQLITE_OK);
    EXPECT_EQ(file.write("page", 4), SQLITE_OK);
    EXPECT_EQ(file.on_disk(), "") << "gathered";
    EXPECT_EQ(file.sync(), SQLITE_OK);
    EXPECT_EQ(file.on_disk(), "headpage");
    EXPECT_EQ(file.write("PAGE", 4), SQLITE_OK);
    EXPECT_EQ(file.read(8, 0), "headPAGE");
    EXPECT_EQ(file.write("tail", 8), SQLITE_OK);
    EXPECT_EQ(file.size(), 12);
    EXPECT_EQ(file.write("XX", 10), SQLITE_OK);
    EXPECT_EQ(file.truncate(11), SQLITE_OK);
    EXPECT_EQ(file.on_disk(), "headPAGEtaX");
    EXPECT_EQ(file.write("end", 11), SQLITE_OK);
    EXPECT_EQ(file.close(), SQLITE_OK);
    EXPECT_EQ(file.on_disk(), "headPAGEtaXend");
}

// Goal: whatever the order, size and place of writes, the file is what single writes would have made of it.
TEST_F(GatheringVfsTest, AnyWritesGiveTheSameFile) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        VfsFile file(path + std::to_string(seed));
        std::string model;
        std::size_t at = 0;
        for (int i = 0; i < 300; ++i) {
            if (random() % 4 == 0) at = random() % (model.size() + 1);
            const std::size_t size = 1 + random() % (random() % 10 == 0 ? 90'000 : 5'000);
            const std::string text(size, static_cast<char>('a' + random() % 26));
            ASSERT_EQ(file.write(text, static_cast<std::int64_t>(at)), SQLITE_OK);
            model.resize(std::max(model.size(), at + size));
            model.replace(at, size, text);
            at += size;
            if (random() % 20 == 0) {
                ASSERT_EQ(file.sync(), SQLITE_OK);
            }
            if (random() % 20 == 0) {
                const std::size_t from = random() % model.size();
                const std::size_t count = std::min<std::size_t>(model.size() - from, 10'000);
                ASSERT_TRUE(file.read(count, static_cast<std::int64_t>(from)) == model.substr(from, count));
            }
        }
        ASSERT_EQ(file.sync(), SQLITE_OK);
        ASSERT_TRUE(file.on_disk() == model) << "seed " << seed;
    }
}

/// Files of this process cannot grow past a size while it lives: a disk that is full.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) : ignored_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limited{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limited);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, ignored_);
    }

private:
    rlimit before_{};
    void (*ignored_)(int);
};

// Goal: a write that fails later than it was asked for fails the sync; it is not tried again behind SQLite's back.
TEST_F(GatheringVfsTest, FailedWriteIsToldByTheSync) {
    VfsFile file(path);
    ASSERT_EQ(file.write("kept", 0), SQLITE_OK);
    ASSERT_EQ(file.sync(), SQLITE_OK);
    {
        const FullDisk full(4);
        EXPECT_EQ(file.write("lost", 4), SQLITE_OK);
        EXPECT_NE(file.sync(), SQLITE_OK);
    }
    EXPECT_EQ(file.write("next", 4), SQLITE_OK);
    EXPECT_EQ(file.sync(), SQLITE_OK);
    EXPECT_EQ(file.on_disk(), "keptnext");
}

// Goal: between the last page of a checkpoint and its sync SQLite asks for two things whose outcome it ignores; a write
// that fails there is told by the sync. Else the log that has the only good copy would be used anew.
TEST_F(GatheringVfsTest, FailedWriteIsNotToldToWhoDoesNotListen) {
    VfsFile file(path);
    ASSERT_EQ(file.write("kept", 0), SQLITE_OK);
    ASSERT_EQ(file.sync(), SQLITE_OK);
    const FullDisk full(4);
    ASSERT_EQ(file.write("last page", 4), SQLITE_OK);
    EXPECT_NE(file.control(SQLITE_FCNTL_CKPT_DONE), SQLITE_FULL);
    EXPECT_NE(file.sync(), SQLITE_OK);
    ASSERT_EQ(file.write("last page", 4), SQLITE_OK);
    EXPECT_EQ(file.unlock(), SQLITE_OK);
    EXPECT_NE(file.sync(), SQLITE_OK);
    EXPECT_EQ(file.sync(), SQLITE_OK) << "told once";
}

// Goal: with readers around, whatever they see is whole: also while a checkpoint stops where a reader's snapshot
// begins, which SQLite does without a sync.
TEST_F(GatheringVfsTest, ReadersSeeWholePagesAroundCheckpoints) {
    const ConnectionOptions writing{.vfs = gathering_vfs(Gather::log), .checkpoints_by_owner = true};
    auto writer = test::value(Connection::open(path, writing));
    test::value(writer->script("CREATE TABLE things (id INTEGER PRIMARY KEY, round BIGINT, filler TEXT)"));
    const auto write_round = [&](int round) {
        test::value(writer->begin());
        for (int id = 0; id < 60; ++id) {
            test::value(writer->execute("INSERT INTO things VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET "
                                        "round = excluded.round, filler = excluded.filler",
                                        id, round, std::string(3'000, static_cast<char>('a' + round % 26))));
        }
        test::value(writer->commit());
    };
    for (int round = 0; round < 40; ++round) {
        write_round(2 * round);
        auto held = test::value(Connection::open(path, {.role = Role::reader}));
        test::value(held->script("BEGIN"));
        test::value(held->run("SELECT count(*) FROM things", {}, [](const SqlRow&) -> Result<void> { return {}; }));
        write_round(2 * round + 1);
        test::value(writer->checkpoint()); // as far as `held` allows
        auto fresh = test::value(Connection::open(path, {.role = Role::reader}));
        const auto rounds_of = [](Connection& reader) {
            std::string rounds;
            test::value(reader.run("SELECT DISTINCT round FROM things", {}, [&](const SqlRow& row) -> Result<void> {
                rounds += row.text(0);
                return {};
            }));
            return rounds;
        };
        ASSERT_EQ(rounds_of(*held), std::to_string(2 * round));
        ASSERT_EQ(rounds_of(*fresh), std::to_string(2 * round + 1));
        std::string verdict;
        test::value(fresh->run("SELECT integrity_check FROM pragma_integrity_check", {},
                               [&](const SqlRow& row) -> Result<void> {
                                   verdict += row.text(0);
                                   return {};
                               }));
        ASSERT_EQ(verdict, "ok");
    }
}

// Goal: on a full disk a commit fails, nothing of it stays, and the connection goes on when there is room again.
TEST_F(GatheringVfsTest, FullDiskFailsTheCommit) {
    const ConnectionOptions options{
        .vfs = gathering_vfs(Gather::log_and_database), .exclusive = true, .checkpoints_by_owner = true};
    auto connection = test::value(Connection::open(path, options));
    test::value(connection->script("CREATE TABLE things (id INTEGER PRIMARY KEY, filler TEXT NOT NULL)"));
    std::int64_t committed = 0;
    const auto insert = [&]() -> Result<void> {
        if (auto begun = connection->begin(); !begun) return begun;
        for (int i = 0; i < 10; ++i) {
            auto done = connection->execute("INSERT INTO things (filler) VALUES ($1)", std::string(3'000, 'x'));
            if (!done) return std::move(done.error());
        }
        return connection->commit();
    };
    {
        const FullDisk full(1'000'000);
        Result<void> outcome;
        while ((outcome = insert()))
            committed += 10;
        EXPECT_EQ(outcome.error().kind(), Kind::unavailable) << outcome.error().message();
        EXPECT_GT(committed, 100);
        connection->rollback();
        EXPECT_FALSE(insert()) << "still full";
        connection->rollback();
    }
    test::value(insert());
    test::value(connection->checkpoint());
    test::value(insert());
    connection.reset();
    auto again = test::value(Connection::open(path));
    const auto text_of = [&](std::string_view sql) {
        std::string text;
        test::value(again->run(sql, {}, [&](const SqlRow& row) -> Result<void> {
            text += row.text(0);
            return {};
        }));
        return text;
    };
    EXPECT_EQ(text_of("SELECT count(*) FROM things"), std::to_string(committed + 20));
    EXPECT_EQ(text_of("SELECT integrity_check FROM pragma_integrity_check"), "ok");
}

} // namespace
} // namespace flotilla::sqlite::gathering_vfs_test
