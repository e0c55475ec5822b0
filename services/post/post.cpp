#include "services/post/post.hpp"

#include <flotilla/contract/page.hpp>
#include <services/post/migrations.hpp>

#include "services/post/api/post.hpp"
#include "services/post/storage/posts.hpp"
#include "services/user/api/user.hpp"

namespace post {
namespace {

constexpr int kDefaultPage = 20;

/// What the service tells others.
struct Announcements {
    Publisher<PostEvent>&created, &updated, &deleted;
};

class Posts {
public:
    Posts(Database& database, Calls& calls, Announcements announcements)
        : database_(database), calls_(calls), announcements_(announcements) {}

    task<Result<Recorded<Versioned<Post>>>> create(Context& context, CreatePost request) {
        co_await must(calls_.call(context, user::get, {.id = request.user_id}),
                      on(user::user_not_found, user_not_found));
        co_return co_await database_.answer(context, [=, this](Transaction& tx) {
            const Versioned<Post> post{
                {.id = tx.new_id(), .user_id = request.user_id, .text = request.text, .created_at = tx.now()}};
            tx.insert(storage::posts, post);
            announcements_.created.publish(tx, {post.value.id, post.value.user_id});
            return post;
        });
    }

    task<Result<Versioned<Post>>> get(Context& context, PostId request) {
        co_return co_await must(database_.find(context, storage::posts, request.id), or_none(post_not_found));
    }

    task<Result<PostPage>> list(Context& context, ListPosts request) {
        const std::size_t limit = static_cast<int>(request.limit.value_or(kDefaultPage));
        auto posts = co_await must(database_.select(context, storage::posts_of, request.user_id,
                                                    request.after.value_or(storage::kNewest), limit + 1));
        co_return page_of<PostPage>(std::move(posts), limit);
    }

    task<Result<Recorded<Changed<Post>>>> change(Context& context, ChangePost request, ExpectedVersion expected) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) -> Result<Changed<Post>> {
            auto post = tx.find(storage::posts, request.id);
            if (!post) return post_not_found;
            post->value.text = request.text;
            announcements_.updated.publish(tx, {post->value.id, post->value.user_id});
            return tx.change(storage::posts, std::move(*post), expected);
        });
    }

    task<Result<Changed<Empty>>> remove(Context& context, PostId request, ExpectedVersion expected) {
        co_return co_await database_.transact(context, [=, this](Transaction& tx) -> Result<Changed<Empty>> {
            const auto post = tx.find(storage::posts, request.id);
            if (!post) return post_not_found;
            tx.remove(storage::posts, request.id);
            announcements_.deleted.publish(tx, {post->value.id, post->value.user_id});
            return tx.removed(expected, post->version);
        });
    }

private:
    Database& database_;
    Calls& calls_;
    Announcements announcements_;
};

} // namespace

void install(Host& host) {
    auto& posts =
        host.own<Posts>(host.database(migrations, {storage::posts, storage::posts_of}), host.calls({user::service}),
                        Announcements{host.publishes(created), host.publishes(updated), host.publishes(deleted)});
    host.serve(create, &Posts::create, posts);
    host.serve(get, &Posts::get, posts);
    host.serve(list, &Posts::list, posts);
    host.serve(change, &Posts::change, posts);
    host.serve(remove, &Posts::remove, posts);
}

} // namespace post
