#pragma once

namespace flotilla::sqlite {

/// What is gathered.
enum class Gather : unsigned char {
    log,             ///< the WAL: others may have the database open
    log_and_database ///< for a connection that has the file for itself (ConnectionOptions::exclusive)
};

/// The name of a SQLite VFS that writes to the system's files what SQLite writes in small pieces, in large ones: SQLite
/// hands each page of a WAL over as two writes and each page of a checkpoint as one; a commit of six pages is one write
/// of 7 µs instead of twelve of 31 µs. What is gathered is written before anything else is done with the content,
/// reading and syncing included, so only the number of writes differs. A write that fails is told by the operation that
/// made it happen; by the next one where SQLite ignores what that says; by the sync at the latest.
///
/// Only for connections with synchronous=FULL: they sync the WAL before they tell other connections of a commit. A
/// checkpoint that readers cut short tells them of pages in the database without a sync; so with readers the database
/// itself is not gathered.
/// Registers itself at the first call. Thread-safe; a file is used by one thread at a time, as SQLite's files are.
const char* gathering_vfs(Gather what);

} // namespace flotilla::sqlite
