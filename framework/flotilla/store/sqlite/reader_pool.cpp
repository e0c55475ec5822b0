#include <flotilla/store/sqlite/reader_pool.hpp>

namespace flotilla::sqlite {
namespace {
constexpr std::size_t kIdleMax = 4;
} // namespace

Result<std::unique_ptr<Connection>> ReaderPool::take() {
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return Error(Kind::unavailable, "the database " + file_ + " is being closed");
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    return open();
}

void ReaderPool::give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (!closed_ && idle_.size() < kIdleMax) idle_.push_back(std::move(connection));
}

void ReaderPool::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    idle_.clear();
}

Result<std::unique_ptr<Connection>> ReaderPool::open() const {
    // Readers of a WAL wait only while the file is being recovered or changes its journal mode.
    return Connection::open(
        file_, {.role = Role::reader, .busy_timeout = std::chrono::seconds(1), .vfs = vfs_, .damage = damage_});
}

} // namespace flotilla::sqlite
