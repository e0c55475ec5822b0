#pragma once

#include <string>
#include <string_view>

#include <flotilla/http/exchange.hpp>
#include <flotilla/http/file_tree.hpp>

namespace flotilla::http {

struct StaticOptions {
    /// Cache-Control of what is served; empty: none. The default keeps copies and asks each time whether they are still
    /// good. Files whose name changes with their content may have "public, max-age=31536000, immutable".
    std::string cache_control = "no-cache";
    /// For one answer: the server's time is meant for requests, not for large files. A client's earlier deadline stays.
    Duration timeout = std::chrono::minutes(10);
};

/// Serves the files below one folder, for GET and HEAD: conditional requests (RFC 9110 §13), ranges (§14), index.html
/// for folders, and `x.gz` in the place of `x` for clients that take gzip, when it is not older. Names that begin with
/// a dot are not served, nor is anything outside the folder.
///
/// The ETag is made of size and modification time (nanoseconds). It is weak while the file is younger than two seconds:
/// within the granularity of a file system's clock a second change could go unseen. From then on it is strong.
///
/// Files are read away from the loop, in pieces, no faster than the client takes them. Memory: one piece (128 KiB) per
/// answer. A file that becomes shorter while it is sent breaks the answer off. Thread-safe.
class StaticContent {
public:
    /// Errors: not_found (no such folder), internal.
    static Result<StaticContent> open(const std::string& folder, StaticOptions options = {});

    /// Answers with the file at `path`: what of the request's path is below the folder, as sent (percent-encoded), with
    /// its leading '/'; empty for the folder itself, which redirects to its trailing slash. Returns the status.
    /// Errors, to be answered unless a response was sent: not_found, forbidden (a file this process may not read),
    /// method_not_allowed (`kMethods`), invalid (`invalid_path`, and `precondition_failed`, which is 412), unavailable,
    /// internal, the context's reason.
    /// Requires: no child of the context that came with the exchange has been made.
    task<Result<int>> answer(Context& context, Exchange& exchange, std::string_view path) const;
    /// answer(), with OPTIONS, and errors as problem+json: all there is to a handler.
    task<void> handle(Context& context, Exchange& exchange, std::string_view path) const;

    static constexpr std::string_view kMethods = "GET, HEAD";

private:
    StaticContent(FileTree tree, StaticOptions options) : tree_(std::move(tree)), options_(std::move(options)) {}

    FileTree tree_;
    StaticOptions options_;
};

} // namespace flotilla::http
