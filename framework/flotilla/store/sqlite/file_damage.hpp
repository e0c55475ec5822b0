#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <flotilla/base/result.hpp>

namespace flotilla::sqlite {

/// Which file a name leads to.
struct FileIdentity {
    dev_t device = 0;
    ino_t number = 0;
    bool operator==(const FileIdentity&) const = default;

    /// nullopt: there is none, or it cannot be looked at.
    static std::optional<FileIdentity> of(const std::string& path);
    static std::optional<FileIdentity> of(int descriptor);
};

/// What trying again does not mend: a page that is none, a disk that cannot be read, a file that was taken away. Every
/// connection of a file notes it here; the first one stays, since a good answer from another page says nothing about
/// that one. Thread-safe.
class FileDamage {
public:
    /// The code of such errors; their kind is internal, so that nobody is told to come again.
    static constexpr std::string_view kCode = "database_damaged";
    /// The error, with what to do.
    static Error error(std::string_view file, std::string_view reason);

    /// Ignored unless it is such an error.
    void note(const Error& error);
    /// ok, or the first one.
    Result<void> check() const;

private:
    std::atomic<bool> found_ = false;
    mutable std::mutex mutex_;
    std::optional<Error> first_;
};

} // namespace flotilla::sqlite
