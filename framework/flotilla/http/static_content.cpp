#include <flotilla/http/static_content.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <flotilla/aio/offload.hpp>
#include <flotilla/http/byte_ranges.hpp>
#include <flotilla/http/conditions.hpp>
#include <flotilla/http/content_type.hpp>
#include <flotilla/http/problem.hpp>

namespace flotilla::http {

namespace {

constexpr std::size_t kPieceBytes = 128 * 1024;
constexpr std::int64_t kStrongAfterNs = 2'000'000'000;

Error not_found() { return Error(Kind::not_found, "Not found"); }

/// Where a request leads: a path below the folder.
struct Wanted {
    std::string path;
    bool is_folder = false; ///< it ended with a slash; `path` is then its index
};

/// A segment that names a file, decoded. Dots at its begin are hidden files and ways out.
Result<std::string> file_name(std::string_view segment) {
    auto name = percent_decode(segment);
    if (!name) return Error(Kind::invalid, "invalid_path", "the path has an invalid percent escape");
    const bool odd =
        std::ranges::any_of(*name, [](char c) { return c == '/' || c == '\\' || (c >= 0 && c < ' ') || c == 127; });
    if (name->starts_with('.') || odd) return not_found();
    return std::move(*name);
}

Result<Wanted> wanted_of(std::string_view path) {
    Wanted wanted;
    while (!path.empty()) {
        if (!path.starts_with('/')) return not_found();
        path.remove_prefix(1);
        const auto segment = path.substr(0, path.find('/'));
        path.remove_prefix(segment.size());
        if (!wanted.path.empty()) wanted.path += '/';
        if (segment.empty()) { // "a//b" would be another address of "a/b", and "//b" another host's
            if (!path.empty()) return not_found();
            wanted.path += "index.html";
            wanted.is_folder = true;
            break;
        }
        auto name = file_name(segment);
        if (!name) return std::move(name.error());
        wanted.path += *name;
    }
    if (wanted.path.empty()) wanted.path = ".";
    return wanted;
}

/// The file that is sent, chosen and opened away from the loop.
struct Selected {
    FileTree::Entry entry;
    bool gzip = false;     ///< it is `x.gz`
    bool varies = false;   ///< there is a `x.gz`
    std::string beginning; ///< its first bytes, where they were asked for
};

Result<Selected> select(const FileTree& tree, const std::string& path, bool gzip, bool with_beginning) {
    auto plain = tree.find(path);
    if (!plain) return std::move(plain.error());
    Selected selected{.entry = std::move(*plain)};
    if (selected.entry.is_folder) return selected;
    auto packed = tree.find(path + ".gz");
    const bool absent =
        !packed && (packed.error().kind() == Kind::not_found || packed.error().kind() == Kind::forbidden);
    if (!packed && !absent) return std::move(packed.error());
    // An older one was made from another content.
    selected.varies = packed && !packed->is_folder && packed->modified_ns >= selected.entry.modified_ns;
    selected.gzip = selected.varies && gzip;
    if (selected.gzip) selected.entry = std::move(*packed);
    if (!with_beginning) return selected;
    auto read = selected.entry.file->read(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(selected.entry.size, kPieceBytes)));
    if (!read) return std::move(read.error());
    selected.beginning = std::move(*read);
    return selected;
}

Validators validators_of(const Selected& selected, Timestamp now) {
    const auto& entry = selected.entry;
    const bool weak = now.microseconds() * 1000 - entry.modified_ns < kStrongAfterNs;
    // A date in the future would be no validator (RFC 9110 §8.8.2.1).
    const auto seconds = std::min(entry.modified_ns / 1'000'000'000, now.microseconds() / 1'000'000);
    return {.etag = fmt::format("{}\"{:x}-{:x}{}\"", weak ? "W/" : "", entry.size,
                                static_cast<std::uint64_t>(entry.modified_ns), selected.gzip ? "-gz" : ""),
            .last_modified = Timestamp(seconds * 1'000'000)};
}

/// One answer on its way.
class Answering {
public:
    Answering(Context& context, Exchange& exchange, const StaticOptions& options, Selected selected,
              std::string_view content_type)
        : context_(context), exchange_(exchange), options_(options), selected_(std::move(selected)),
          content_type_(content_type), validators_(validators_of(selected_, context.world().now())) {}

    task<Result<int>> answer();

private:
    ResponseHead head_of(int status) const;
    std::optional<RequestedRanges> ranges() const;
    task<Result<int>> answer_unsatisfiable();
    task<Result<int>> answer_whole();
    task<Result<int>> answer_part(ByteRange range);
    task<Result<int>> answer_parts(std::vector<ByteRange> ranges);
    task<Result<void>> send(ByteRange range);
    task<Result<int>> ended(int status);

    Context& context_;
    Exchange& exchange_;
    const StaticOptions& options_;
    Selected selected_;
    std::string_view content_type_;
    Validators validators_;
};

task<Result<int>> Answering::answer() {
    switch (check_conditions(exchange_.request().headers, validators_, context_.world().now())) {
    case Condition::failed:
        co_return Error(Kind::invalid, "precondition_failed", "the file is not the one the request is meant for");
    case Condition::not_modified:
        co_await must(exchange_.respond(context_, head_of(304), {}));
        co_return 304;
    case Condition::proceed:
        break;
    }
    const auto asked = ranges();
    if (!asked || asked->answer == RequestedRanges::Answer::whole) co_return co_await answer_whole();
    if (asked->answer == RequestedRanges::Answer::unsatisfiable) co_return co_await answer_unsatisfiable();
    if (asked->ranges.size() == 1) co_return co_await answer_part(asked->ranges.front());
    co_return co_await answer_parts(asked->ranges);
}

ResponseHead Answering::head_of(int status) const {
    ResponseHead head{.status = status};
    head.headers.add("etag", validators_.etag);
    head.headers.add("last-modified", validators_.last_modified->to_http_date());
    if (!options_.cache_control.empty()) head.headers.add("cache-control", options_.cache_control);
    if (selected_.varies) head.headers.add("vary", "Accept-Encoding");
    if (status == 304) return head;
    head.headers.add("accept-ranges", "bytes");
    head.headers.add("x-content-type-options", "nosniff"); // the type is the table's, not the content's
    if (selected_.gzip) head.headers.add("content-encoding", "gzip");
    return head;
}

/// What a GET asks of the file; ranges of other methods mean nothing (RFC 9110 §14.2).
std::optional<RequestedRanges> Answering::ranges() const {
    const auto& request = exchange_.request();
    const auto field = request.headers.get("range");
    if (!field || request.method != Method::get) return std::nullopt;
    if (!range_counts(request.headers, validators_, context_.world().now())) return std::nullopt;
    return requested_ranges(*field, selected_.entry.size);
}

task<Result<int>> Answering::answer_unsatisfiable() {
    const auto error = Error(Kind::invalid, "range_not_satisfiable", "the file has none of these bytes");
    ResponseHead head{.status = status_of(error)};
    add_problem_headers(head.headers, error);
    head.headers.add("content-range", unsatisfied_range(selected_.entry.size));
    const auto body = problem_json(error, asked_path(exchange_.request()), context_.trace.trace_id_hex());
    co_await must(exchange_.respond(context_, head, body));
    co_return head.status;
}

task<Result<int>> Answering::answer_whole() {
    auto head = head_of(200);
    head.headers.add("content-type", content_type_);
    const auto size = selected_.entry.size;
    const bool to_head = exchange_.request().method == Method::head;
    if (!to_head && selected_.beginning.size() == size) {
        co_await must(exchange_.respond(context_, head, selected_.beginning));
        co_return 200;
    }
    co_await must(exchange_.send(context_, head, BodySize::of(size)));
    if (!to_head && size > 0) co_await must(send({0, size - 1}));
    co_return co_await ended(200);
}

task<Result<int>> Answering::answer_part(ByteRange range) {
    auto head = head_of(206);
    head.headers.add("content-type", content_type_);
    head.headers.add("content-range", content_range(range, selected_.entry.size));
    co_await must(exchange_.send(context_, head, BodySize::of(range.size())));
    co_await must(send(range));
    co_return co_await ended(206);
}

// multipart/byteranges (RFC 9110 §14.6). Its boundary is random, so that no file holds it.
task<Result<int>> Answering::answer_parts(std::vector<ByteRange> ranges) {
    auto& world = context_.world();
    const auto boundary = fmt::format("{:016x}{:016x}", world.random(), world.random());
    const auto end = "\r\n--" + boundary + "--\r\n";
    std::vector<std::string> part_heads;
    std::uint64_t size = end.size();
    for (const auto& range : ranges) {
        part_heads.push_back(fmt::format("{}--{}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
                                         part_heads.empty() ? "" : "\r\n", boundary, content_type_,
                                         content_range(range, selected_.entry.size)));
        size += part_heads.back().size() + range.size();
    }
    auto head = head_of(206);
    head.headers.add("content-type", "multipart/byteranges; boundary=" + boundary);
    co_await must(exchange_.send(context_, head, BodySize::of(size)));
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        co_await must(exchange_.write(context_, part_heads[i]));
        co_await must(send(ranges[i]));
    }
    co_await must(exchange_.write(context_, end));
    co_return co_await ended(206);
}

task<Result<void>> Answering::send(ByteRange range) {
    auto& beginning = selected_.beginning;
    for (auto at = range.first; at <= range.last;) {
        std::string piece;
        if (at == 0 && !beginning.empty()) {
            piece = std::move(beginning);
        } else {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(range.last - at + 1, kPieceBytes));
            piece = co_await must(
                offload(context_, [file = selected_.entry.file, at, count] { return file->read(at, count); }));
        }
        if (piece.empty()) co_return Error(Kind::internal, "a file became shorter while it was sent");
        co_await must(exchange_.write(context_, piece));
        at += piece.size();
    }
    co_return {};
}

task<Result<int>> Answering::ended(int status) {
    co_await must(exchange_.finish(context_));
    co_return status;
}

/// Relative to the address the client used, which is another one behind a gateway that rewrites paths. "./" keeps a
/// segment with a colon, or an empty one, from being read as another site.
task<Result<int>> redirect_to_folder(Context& context, Exchange& exchange) {
    const auto& request = exchange.request();
    ResponseHead head{.status = 301};
    const auto path = request.path();
    std::string location = "./";
    location.append(path.substr(path.rfind('/') + 1)).append("/");
    if (request.query().data() != nullptr) location.append("?").append(request.query());
    head.headers.add("location", location);
    co_await must(exchange.respond(context, head, {}));
    co_return head.status;
}

} // namespace

Result<StaticContent> StaticContent::open(const std::string& folder, StaticOptions options) {
    auto tree = FileTree::open(folder);
    if (!tree) return std::move(tree.error());
    return StaticContent(std::move(*tree), std::move(options));
}

task<Result<int>> StaticContent::answer(Context& context, Exchange& exchange, std::string_view path) const {
    const auto& request = exchange.request();
    if (request.method != Method::get && request.method != Method::head)
        co_return Error(Kind::method_not_allowed, "Method not allowed");
    exchange.limit_time(options_.timeout);
    auto wanted = co_await must(wanted_of(path));
    const auto& headers = request.headers;
    // The usual small file is opened and read in one go.
    const bool with_beginning = request.method == Method::get && !headers.has("range") &&
                                !headers.has("if-none-match") && !headers.has("if-modified-since");
    auto selected =
        co_await must(offload(context, [tree = tree_, path = wanted.path, gzip = accepts_gzip(headers),
                                        with_beginning] { return select(tree, path, gzip, with_beginning); }));
    if (selected.entry.is_folder) {
        if (wanted.is_folder) co_return not_found(); // an index that is a folder
        co_return co_await redirect_to_folder(context, exchange);
    }
    Answering answering(context, exchange, options_, std::move(selected), content_type_of(wanted.path));
    auto answered = co_await answering.answer();
    if (!answered && exchange.responded()) exchange.reset(); // half a file must not look whole
    co_return answered;
}

task<void> StaticContent::handle(Context& context, Exchange& exchange, std::string_view path) const {
    if (exchange.request().method == Method::options) {
        if (!co_await respond_options(context, exchange, kMethods)) exchange.reset();
        co_return;
    }
    auto answered = co_await answer(context, exchange, path);
    if (answered || exchange.responded()) co_return;
    const bool method = answered.error().kind() == Kind::method_not_allowed;
    auto refused = co_await respond_error(context, exchange, answered.error(), method ? kMethods : std::string_view());
    if (!refused) exchange.reset();
}

} // namespace flotilla::http
