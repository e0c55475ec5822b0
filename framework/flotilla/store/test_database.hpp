#pragma once

// Part of the tests of store/.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/store/database.hpp>
#include <flotilla/store/framework_tables.hpp>
#include <flotilla/store/role.hpp>
#include <flotilla/store/sqlite/sqlite_database.hpp>

namespace flotilla::test {

/// A folder that goes with the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "flotilla-store-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    const std::filesystem::path& path() const { return path_; }
    std::string url(const std::string& file) const { return "sqlite:" + (path_ / file).string(); }

private:
    std::filesystem::path path_;
};

/// A value or a failed test that says why.
template <class T>
T value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().code() + ": " + result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A loop with one database on it, and calls that run to their end.
class TestDatabase {
public:
    explicit TestDatabase(const std::string& url = "sqlite::memory:?bodies=twice",
                          const std::string& owner = "test-service")
        : database_(value(open_database(loop_.world(), url, owner))) {}

    Loop& loop() { return loop_; }
    World& world() { return loop_.world(); }
    Database& database() { return *database_; }
    sqlite::Writer::Statistics statistics() const {
        return static_cast<const sqlite::SqliteDatabase&>(*database_).statistics();
    }
    std::unique_ptr<Database> open_another(const std::string& url, const std::string& owner = "test-service") {
        return value(open_database(loop_.world(), url, owner));
    }

    template <class Body>
    auto transact(Body body) {
        Context context(world());
        return loop_.run_until_done(database_->transact(context, std::move(body)));
    }
    Result<std::int64_t> execute(std::string sql) {
        return transact([sql](Transaction& transaction) { return transaction.execute(sql); });
    }
    template <class T, class... Arguments>
    Result<std::optional<T>> find(std::string_view sql, Arguments... arguments) {
        Context context(world());
        return loop_.run_until_done(database_->find<T>(context, sql, std::move(arguments)...));
    }
    template <class T, class... Arguments>
    Result<std::vector<T>> select(std::string_view sql, Arguments... arguments) {
        Context context(world());
        return loop_.run_until_done(database_->select<T>(context, sql, std::move(arguments)...));
    }
    Result<void> migrate(std::string_view component, Migrations migrations) {
        Context context(world());
        return loop_.run_until_done(database_->migrate(context, component, migrations));
    }
    void create_framework_tables() { value(migrate("flotilla", framework_migrations())); }
    /// A new tenure of the database's role, taken from whoever has it. Lives as long as this.
    Tenure& take_role() {
        Context context(world());
        const auto row = value(loop_.run_until_done(roles::load(context, *database_, "database")));
        const auto epoch = value(transact(roles::Take{"database", "test", "", row})).value();
        return *tenures_.emplace_back(std::make_unique<Tenure>(*database_, "database", epoch, refused_));
    }

    /// Runs `test(context)`, a coroutine, to its end.
    template <class Test>
    void run(Test& test) {
        Context context(world());
        loop_.run_until_done(test(context));
    }

private:
    Loop loop_;
    std::unique_ptr<Database> database_;
    Counter refused_;
    std::vector<std::unique_ptr<Tenure>> tenures_;
};

/// Holds the writer inside a body until it is opened, so that what is sent meanwhile waits in the queue.
class Gate {
public:
    /// The body that waits.
    auto body() {
        return [this](Transaction&) -> Result<int> {
            entered_.count_down();
            opened_.wait();
            return 0;
        };
    }
    /// Returns once the writer is inside.
    void await_entered() const { entered_.wait(); }
    void open() { opened_.count_down(); }

private:
    std::latch entered_{1};
    std::latch opened_{1};
};

} // namespace flotilla::test
