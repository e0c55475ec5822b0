CREATE TABLE comments (
    id TEXT PRIMARY KEY,
    post_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX comments_by_post ON comments (post_id, id);
-- What is written about a post here takes no comments any more.
CREATE TABLE deleted_posts (
    id TEXT PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);
