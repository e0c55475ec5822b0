#include "services/comment/comment.hpp"

#include <flotilla/aio/scope.hpp>
#include <flotilla/contract/page.hpp>
#include <services/comment/migrations.hpp>

#include "services/comment/api/comment.hpp"
#include "services/comment/storage/comments.hpp"
#include "services/post/api/post.hpp"
#include "services/user/api/user.hpp"

namespace comment {
namespace {

constexpr int kDefaultPage = 20;

struct RemoveComments {
    std::string post_id;
};
inline constexpr Job<RemoveComments> remove_comments{"remove_comments"};

/// What the service tells others.
struct Announcements {
    Publisher<CommentEvent>&created, &updated, &deleted;
};

CommentEvent event_of(const Comment& comment) { return {comment.id, comment.post_id, comment.user_id}; }

class Comments {
public:
    Comments(Database& database, Calls& calls, Announcements announcements)
        : database_(database), calls_(calls), announcements_(announcements) {}

    task<Result<Recorded<Versioned<Comment>>>> create(Context& context, CreateComment request) {
        co_await must(all(context, calls_.call(context, post::get, {.id = request.post_id}),
                          calls_.call(context, user::get, {.id = request.user_id})), // in parallel
                      on(post::post_not_found, post_not_found), on(user::user_not_found, user_not_found));
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Versioned<Comment>> {
            if (tx.find(storage::deleted_posts, request.post_id)) return post_not_found; // since it was asked for
            const Versioned<Comment> comment{{.id = tx.new_id(),
                                              .post_id = request.post_id,
                                              .user_id = request.user_id,
                                              .text = request.text,
                                              .created_at = tx.now()}};
            tx.insert(storage::comments, comment);
            announcements_.created.publish(tx, event_of(comment.value));
            return comment;
        });
    }

    task<Result<Versioned<Comment>>> get(Context& context, CommentId request) {
        co_return co_await must(database_.find(context, storage::comments, request.id), or_none(comment_not_found));
    }

    task<Result<CommentPage>> list(Context& context, ListComments request) {
        const std::size_t limit = static_cast<int>(request.limit.value_or(kDefaultPage));
        auto comments = co_await must(
            database_.select(context, storage::comments_of, request.post_id, request.after.value_or(""), limit + 1));
        co_return page_of<CommentPage>(std::move(comments), limit);
    }

    task<Result<Recorded<Changed<Comment>>>> change(Context& context, ChangeComment request, ExpectedVersion expected) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Changed<Comment>> {
            auto comment = tx.find(storage::comments, request.id);
            if (!comment) return comment_not_found;
            comment->value.text = request.text;
            announcements_.updated.publish(tx, event_of(comment->value));
            return tx.change(storage::comments, std::move(*comment), expected);
        });
    }

    task<Result<Changed<Empty>>> remove(Context& context, CommentId request, ExpectedVersion expected) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) -> Result<Changed<Empty>> {
            const auto comment = tx.find(storage::comments, request.id);
            if (!comment) return comment_not_found;
            tx.remove(storage::comments, request.id);
            announcements_.deleted.publish(tx, event_of(comment->value));
            return tx.removed(expected, comment->version);
        });
    }

    // A post that goes takes its comments along: hidden at once, removed afterwards, however many there are.

    void post_deleted(Transaction& tx, const Received<post::PostEvent>& event) {
        if (tx.try_insert(storage::deleted_posts, {event->post_id, tx.now()}))
            enqueue(tx, remove_comments, {event->post_id}, {.key = event->post_id});
    }

    task<Result<void>> remove_all(Context& context, RemoveComments job) {
        const auto some = [=](Transaction& tx) { return tx.execute(storage::remove_some_of, job.post_id); };
        while (co_await must(database_.transact(context, some)) > 0) {
        }
        co_return Result<void>();
    }

private:
    Database& database_;
    Calls& calls_;
    Announcements announcements_;
};

} // namespace

void install(Host& host) {
    auto& database = host.database(
        migrations, {storage::comments, storage::comments_of, storage::remove_some_of, storage::deleted_posts});
    auto& comments =
        host.own<Comments>(database, host.calls({user::service, post::service}),
                           Announcements{host.publishes(created), host.publishes(updated), host.publishes(deleted)});
    host.serve(create, &Comments::create, comments);
    host.serve(get, &Comments::get, comments);
    host.serve(list, &Comments::list, comments);
    host.serve(change, &Comments::change, comments);
    host.serve(remove, &Comments::remove, comments);
    host.on(post::deleted, &Comments::post_deleted, comments);
    host.perform(remove_comments, &Comments::remove_all, comments);
}

} // namespace comment
