#pragma once

namespace flotilla::sqlite {

/// The name of a SQLite VFS that writes to the system's files what SQLite writes in small pieces, in large ones: SQLite
/// hands each page of a WAL over as two writes and each page of a checkpoint as one; a commit of six pages is one write
/// of 7 µs instead of twelve of 31 µs. What is gathered is written before anything else is done with the content,
/// reading and syncing included, so only the number of writes differs. A write that fails is told by what made it
/// happen, the sync at the latest: never by an operation whose outcome SQLite ignores.
///
/// Only for connections with synchronous=FULL: they sync before they tell other connections of a commit.
/// Registers itself at the first call. Thread-safe; a file is used by one thread at a time, as SQLite's files are.
const char* gathering_vfs();

} // namespace flotilla::sqlite
