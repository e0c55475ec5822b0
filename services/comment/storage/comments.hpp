#pragma once

#include <flotilla/store/table.hpp>

#include "services/comment/api/comment.hpp"

namespace comment::storage {

inline constexpr Table<Versioned<Comment>> comments{"comments"};

/// A post's, oldest first: those that come after $2, at most $3; none of a post that has gone.
inline constexpr Query<Comment, std::string, std::string, std::size_t> comments_of{
    "FROM comments WHERE post_id = $1 AND id > $2 AND NOT EXISTS"
    " (SELECT 1 FROM deleted_posts WHERE deleted_posts.id = $1) ORDER BY id LIMIT $3"};
/// Some of a post's comments: no other transaction waits long for it.
inline constexpr Statement<std::string> remove_some_of{
    "DELETE FROM comments WHERE id IN (SELECT id FROM comments WHERE post_id = $1 ORDER BY id LIMIT 500)"};

/// A post that was deleted: whoever saw it a moment before that comes too late with a comment.
struct DeletedPost {
    std::string id;
    Timestamp deleted_at;
};
inline constexpr Table<DeletedPost> deleted_posts{"deleted_posts"};

} // namespace comment::storage
