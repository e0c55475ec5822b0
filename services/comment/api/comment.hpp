#pragma once

#include <flotilla/contract/contract.hpp>

/// The comment service's contract: what users say about posts.
namespace comment {

using namespace flotilla;

struct Comment {
    std::string id, post_id, user_id, text;
    Timestamp created_at;
};
struct CommentId {
    std::string id;
};
struct CreateComment {
    std::string post_id, user_id;
    Text<1, 2000> text;
};
struct ChangeComment {
    std::string id;
    Text<1, 2000> text;
};
struct ListComments {
    std::string post_id;
    std::optional<Bounded<int, 1, 100>> limit; ///< 20 by default
    std::optional<std::string> after;          ///< `next` of the page before
};
struct CommentPage {
    std::vector<Comment> items;      ///< oldest first
    std::optional<std::string> next; ///< absent on the last page
};
/// What the events tell.
struct CommentEvent {
    std::string comment_id, post_id, user_id;
};

inline constexpr ErrorCode comment_not_found{"comment_not_found", Kind::not_found, "Comment not found"};
inline constexpr ErrorCode post_not_found{"post_not_found", Kind::invalid, "Post not found"};
inline constexpr ErrorCode user_not_found{"user_not_found", Kind::invalid, "User not found"};

inline constexpr Service service{"comment-service"};

/// Publishes comment.created.
inline constexpr Endpoint<CreateComment, Comment> create{service,
                                                         Method::post,
                                                         "/comments",
                                                         {.success = 201,
                                                          .idempotent = true,
                                                          .versioned = true,
                                                          .errors = {post_not_found, user_not_found},
                                                          .summary = "Comment on a post"}};
inline constexpr Endpoint<CommentId, Comment> get{
    service,
    Method::get,
    "/comments/{id}",
    {.versioned = true, .errors = {comment_not_found}, .summary = "Get a comment"}};
inline constexpr Endpoint<ListComments, CommentPage> list{
    service, Method::get, "/comments", {.summary = "List a post's comments, oldest first, page by page"}};
/// Publishes comment.updated.
inline constexpr Endpoint<ChangeComment, Comment> change{
    service,
    Method::patch,
    "/comments/{id}",
    {.idempotent = true, .versioned = true, .errors = {comment_not_found}, .summary = "Change a comment's text"}};
/// Publishes comment.deleted.
inline constexpr Endpoint<CommentId, Empty> remove{
    service,
    Method::delete_,
    "/comments/{id}",
    {.versioned = true, .errors = {comment_not_found}, .summary = "Delete a comment"}};

inline constexpr Topic<CommentEvent> created{"comment.created", {.key = &CommentEvent::post_id}};
inline constexpr Topic<CommentEvent> updated{"comment.updated", {.key = &CommentEvent::post_id}};
inline constexpr Topic<CommentEvent> deleted{"comment.deleted", {.key = &CommentEvent::post_id}};

} // namespace comment
