#pragma once

#include <flotilla/contract/contract.hpp>

/// The post service's contract: what users write for everybody to read.
namespace post {

using namespace flotilla;

struct Post {
    std::string id, user_id, text;
    Timestamp created_at;
};
struct PostId {
    std::string id;
};
struct CreatePost {
    std::string user_id;
    Text<1, 10000> text;
};
struct ChangePost {
    std::string id;
    Text<1, 10000> text;
};
struct ListPosts {
    std::string user_id;
    std::optional<Bounded<int, 1, 100>> limit; ///< 20 by default
    std::optional<std::string> after;          ///< `next` of the page before
};
struct PostPage {
    std::vector<Post> items;         ///< newest first
    std::optional<std::string> next; ///< absent on the last page
};
/// What the events tell: whose post it is.
struct PostEvent {
    std::string post_id, user_id;
};

inline constexpr ErrorCode post_not_found{"post_not_found", Kind::not_found, "Post not found"};
inline constexpr ErrorCode user_not_found{"user_not_found", Kind::invalid, "User not found"};

inline constexpr Service service{"post-service"};

/// Publishes post.created.
inline constexpr Endpoint<CreatePost, Post> create{
    service,
    Method::post,
    "/posts",
    {.success = 201, .idempotent = true, .versioned = true, .errors = {user_not_found}, .summary = "Write a post"}};
inline constexpr Endpoint<PostId, Post> get{
    service, Method::get, "/posts/{id}", {.versioned = true, .errors = {post_not_found}, .summary = "Get a post"}};
inline constexpr Endpoint<ListPosts, PostPage> list{
    service, Method::get, "/posts", {.summary = "List a user's posts, newest first, page by page"}};
/// Publishes post.updated.
inline constexpr Endpoint<ChangePost, Post> change{
    service,
    Method::patch,
    "/posts/{id}",
    {.idempotent = true, .versioned = true, .errors = {post_not_found}, .summary = "Change a post's text"}};
/// Publishes post.deleted, at which its comments go, too.
inline constexpr Endpoint<PostId, Empty> remove{
    service,
    Method::delete_,
    "/posts/{id}",
    {.versioned = true, .errors = {post_not_found}, .summary = "Delete a post"}};

inline constexpr Topic<PostEvent> created{"post.created", {.key = &PostEvent::post_id}};
inline constexpr Topic<PostEvent> updated{"post.updated", {.key = &PostEvent::post_id}};
inline constexpr Topic<PostEvent> deleted{"post.deleted", {.key = &PostEvent::post_id}};

} // namespace post
