#pragma once

#include <flotilla/store/table.hpp>

#include "services/post/api/post.hpp"

namespace post::storage {

inline constexpr Table<Versioned<Post>> posts{"posts"};

/// A user's, newest first: those that come after $2, at most $3. Ids grow with time.
inline constexpr Query<Post, std::string, std::string, std::size_t> posts_of{
    "FROM posts WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"};
/// Comes before every id.
inline constexpr auto kNewest = "~";

} // namespace post::storage
