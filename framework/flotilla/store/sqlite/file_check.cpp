#include <flotilla/store/sqlite/file_check.hpp>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace flotilla::sqlite {
namespace {

constexpr Duration kAgain = std::chrono::milliseconds(10); // a statement that had not begun yet hears nothing

/// Interrupts a connection's statement after a while. A thread: SQLite 3.40 does not call its progress handler while it
/// checks pages.
class Interruption {
public:
    Interruption(Connection& connection, Duration after)
        : thread_([this, &connection, after] {
              std::unique_lock lock(mutex_);
              for (auto wait = after; !ended_.wait_for(lock, wait, [this] { return done_; }); wait = kAgain) {
                  over_ = true;
                  connection.interrupt();
              }
          }) {}
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
    ~Interruption() { end(); }

    /// From now on nothing is interrupted. Returns whether it was.
    bool end() {
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
        }
        ended_.notify_one();
        if (thread_.joinable()) thread_.join();
        return over_;
    }

private:
    std::mutex mutex_;
    std::condition_variable ended_;
    bool done_ = false;
    bool over_ = false;
    std::thread thread_; // last: it uses the others
};

} // namespace

Result<bool> check_file(Connection& connection, Duration patience) {
    std::string found;
    Interruption interruption(connection, patience);
    auto done =
        connection.run("SELECT quick_check FROM pragma_quick_check(1)", {}, [&](const SqlRow& row) -> Result<void> {
            found = row.text(0);
            return {};
        });
    const bool interrupted = interruption.end();
    if (done && found != "ok") {
        auto error = FileDamage::error(connection.file(), found);
        connection.damage().note(error);
        return error;
    }
    if (done) return true;
    if (interrupted) return false;
    return std::move(done.error());
}

} // namespace flotilla::sqlite
