#include <flotilla/store/sqlite/reader_pool.hpp>

namespace flotilla::sqlite {
namespace {
constexpr std::size_t kIdleMax = 4;
} // namespace

Result<std::unique_ptr<Connection>> ReaderPool::take() {
    {
        const std::lock_guard lock(mutex_);
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
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(connection));
}

Result<std::unique_ptr<Connection>> ReaderPool::open() const {
    // Readers of a WAL wait only while the file is being recovered or changes its journal mode.
    return Connection::open(file_, {.role = Role::reader, .busy_timeout = std::chrono::seconds(1), .vfs = vfs_});
}

} // namespace flotilla::sqlite
