// Which files are served, and with which fields.
#include <flotilla/http/static_content.hpp>

#include <sys/fsuid.h>

#include <boost/json/parse.hpp>

#include <flotilla/http/test_files.hpp>
#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::static_content_test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// Goal: a file comes whole, with its type, validators and what may be done with it.
TEST_F(StaticContentTest, FileHasItsFields) {
    write("a.txt", "hello");
    const auto got = get("/a.txt");
    EXPECT_EQ(got.status(), 200);
    EXPECT_EQ(got.body, "hello");
    EXPECT_EQ(field(got, "content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(field(got, "content-length"), "(none)") << "framing is the codec's";
    EXPECT_EQ(field(got, "last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(field(got, "accept-ranges"), "bytes");
    EXPECT_EQ(field(got, "cache-control"), "no-cache");
    EXPECT_EQ(field(got, "x-content-type-options"), "nosniff");
    EXPECT_EQ(field(got, "vary"), "(none)");
    EXPECT_TRUE(field(got, "etag").starts_with("\"5-")) << field(got, "etag");
    write("empty.css", "");
    EXPECT_EQ(get("/empty.css").status(), 200);
    EXPECT_EQ(get("/empty.css").body, "");
    write("a b+ü.txt", "odd");
    EXPECT_EQ(get("/a%20b+%C3%BC.txt").body, "odd");
}

// Goal: Cache-Control is what the options say, or nothing.
TEST_F(StaticContentTest, CacheControlIsTheOptions) {
    write("a.txt", "hello");
    start({.cache_control = "public, max-age=60"});
    EXPECT_EQ(field(get("/a.txt"), "cache-control"), "public, max-age=60");
    EXPECT_EQ(field(get("/a.txt", {{"if-none-match", "*"}}), "cache-control"), "public, max-age=60");
    EXPECT_EQ(field(get("/none"), "cache-control"), "(none)");
    start({.cache_control = ""});
    EXPECT_EQ(field(get("/a.txt"), "cache-control"), "(none)");
}

/// While it lives, this thread and those it starts read files as somebody without rights, whoever runs the test.
class WithoutRights {
public:
    WithoutRights() { ::setfsuid(::geteuid() == 0 ? 65534 : ::geteuid()); }
    WithoutRights(const WithoutRights&) = delete;
    WithoutRights& operator=(const WithoutRights&) = delete;
    ~WithoutRights() { ::setfsuid(::geteuid()); }
};

// Goal: what the process may not read is told apart from what is not there; only a compressed copy is done without.
TEST_F(StaticContentTest, UnreadableFileIsForbidden) {
    write("secret.txt", "x");
    write("a.js", "plain");
    write("a.js.gz", "packed");
    write("closed/a.txt", "x");
    start();
    fs::permissions(folder(), fs::perms::others_exec, fs::perm_options::add);
    for (const auto* name : {"/secret.txt", "/a.js.gz", "/closed"})
        fs::permissions(folder() + name, fs::perms::none);
    {
        const WithoutRights reading;
        EXPECT_EQ(get("/secret.txt").status(), 403);
        EXPECT_EQ(get("/closed/a.txt").status(), 403);
        EXPECT_EQ(get("/closed/none.txt").status(), 403);
        const auto plain = get("/a.js", {{"accept-encoding", "gzip"}});
        EXPECT_EQ(plain.status(), 200);
        EXPECT_EQ(plain.body, "plain");
        EXPECT_EQ(get("/none.txt").status(), 404);
    }
    fs::permissions(folder() + "/closed", fs::perms::owner_all);
}

// Goal: the tag changes with size and time; it is weak while a second change could hide behind the first.
TEST_F(StaticContentTest, EtagFollowsTheFile) {
    write("a.txt", "hello");
    const auto first = field(get("/a.txt"), "etag");
    EXPECT_EQ(field(get("/a.txt"), "etag"), first);
    write("a.txt", "hell!");
    EXPECT_EQ(field(get("/a.txt"), "etag"), first) << "the content is not looked at";
    write("a.txt", "hello", kLongAgo + 1);
    EXPECT_NE(field(get("/a.txt"), "etag"), first);
    write("a.txt", "hello!");
    EXPECT_NE(field(get("/a.txt"), "etag"), first);
    write("a.txt", "hello", now());
    EXPECT_TRUE(field(get("/a.txt"), "etag").starts_with("W/\"5-"));
    write("a.txt", "hello", now() + 1000);
    const auto future = get("/a.txt");
    EXPECT_TRUE(field(future, "etag").starts_with("W/\"5-"));
    const auto date = Timestamp::parse_http_date(field(future, "last-modified"), loop_.world().now());
    ASSERT_TRUE(date);
    EXPECT_LE(*date, loop_.world().now());
}

// Goal: HEAD is answered as GET is, without the body; also of what is compressed, partly asked for, or not there.
TEST_F(StaticContentTest, HeadHasTheFieldsOfGet) {
    write("a.txt", "hello");
    write("b.js", "x");
    write("b.js.gz", "packed");
    write("large.bin", std::string(1 << 20, 'x'));
    const auto lines_of = [](const Response& response) {
        std::vector<std::string> lines;
        for (std::size_t i = 0; i < response.head.headers.size(); ++i) {
            const auto [name, value] = response.head.headers[i];
            if (name != "Date") lines.push_back(std::string(name) + ": " + std::string(value));
        }
        return lines;
    };
    start();
    for (const auto* target : {"/a.txt", "/b.js", "/large.bin"}) {
        const auto whole = get(target, {{"accept-encoding", "gzip"}});
        const auto head = send(Method::head, target, {{"accept-encoding", "gzip"}, {"range", "bytes=0-1"}});
        EXPECT_EQ(head.status(), 200);
        EXPECT_EQ(lines_of(head), lines_of(whole)) << target;
        EXPECT_EQ(head.body, "");
    }
    EXPECT_EQ(send(Method::head, "/a.txt", {{"if-none-match", "*"}}).status(), 304);
    EXPECT_EQ(send(Method::head, "/none").status(), 404);
    auto raw = [](Context& context, Address address) -> task<std::string> {
        auto wire = co_await Wire::connect(context, std::move(address));
        co_await wire->say("HEAD /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        co_return co_await wire->rest();
    };
    const auto head = loop_.run_until_done(raw(context_, address_));
    EXPECT_NE(head.find("Content-Length: 1048576\r\n"), std::string::npos) << head;
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
}

// Goal: a folder is its index.html, under an address that ends with a slash; without one it is nothing.
TEST_F(StaticContentTest, FolderIsItsIndex) {
    write("index.html", "root");
    write("docs/index.html", "docs");
    write("bare/a.txt", "a");
    write("odd/index.html/a.txt", "a");
    EXPECT_EQ(get("/").body, "root");
    EXPECT_EQ(field(get("/"), "content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(get("/docs/").body, "docs");
    const auto redirect = get("/docs?a=1&b=%20");
    EXPECT_EQ(redirect.status(), 301);
    EXPECT_EQ(field(redirect, "location"), "./docs/?a=1&b=%20");
    EXPECT_EQ(field(get("/%64ocs"), "location"), "./%64ocs/");
    EXPECT_EQ(get("/bare").status(), 301);
    EXPECT_EQ(get("/bare/").status(), 404);
    EXPECT_EQ(get("/odd/").status(), 404);
    EXPECT_EQ(get("/bare/a.txt/").status(), 404) << "a file is no folder";
    EXPECT_EQ(get("/bare/a.txt/x").status(), 404);
}

// Goal: what is precompressed goes out to whom it suits; caches learn that there are two.
TEST_F(StaticContentTest, PrecompressedFileIsServedToWhomItSuits) {
    write("app.js", "plain text");
    write("app.js.gz", "packed");
    write("index.html", "plain");
    write("index.html.gz", "packed index");
    const Fields gzip{{"accept-encoding", "br, gzip"}};
    const auto plain = get("/app.js"), packed = get("/app.js", gzip);
    EXPECT_EQ(plain.body, "plain text");
    EXPECT_EQ(field(plain, "content-encoding"), "(none)");
    EXPECT_EQ(field(plain, "vary"), "Accept-Encoding");
    EXPECT_EQ(packed.body, "packed");
    EXPECT_EQ(field(packed, "content-encoding"), "gzip");
    EXPECT_EQ(field(packed, "content-type"), "text/javascript; charset=utf-8");
    EXPECT_EQ(field(packed, "vary"), "Accept-Encoding");
    EXPECT_NE(field(packed, "etag"), field(plain, "etag"));
    EXPECT_EQ(get("/", gzip).body, "packed index");
    EXPECT_EQ(get("/app.js", {{"accept-encoding", "gzip;q=0"}}).body, "plain text");

    const auto same = get("/app.js", {{"accept-encoding", "gzip"}, {"if-none-match", field(packed, "etag")}});
    EXPECT_EQ(same.status(), 304);
    EXPECT_EQ(field(same, "vary"), "Accept-Encoding");
    EXPECT_EQ(get("/app.js", {{"if-none-match", field(packed, "etag")}}).status(), 200) << "of another variant";
    EXPECT_EQ(get("/app.js", {{"accept-encoding", "gzip"}, {"range", "bytes=0-3"}}).body, "pack");

    const auto itself = get("/app.js.gz", gzip);
    EXPECT_EQ(itself.body, "packed");
    EXPECT_EQ(field(itself, "content-type"), "application/gzip");
    EXPECT_EQ(field(itself, "content-encoding"), "(none)");

    write("app.js", "new text", kLongAgo + 1); // and nobody compressed it again
    EXPECT_EQ(get("/app.js", gzip).body, "new text");
    EXPECT_EQ(field(get("/app.js", gzip), "vary"), "(none)");
    write("only.js.gz", "packed");
    EXPECT_EQ(get("/only.js", gzip).status(), 404) << "it is served beside a plain file";
}

// Goal: no name leads out of the folder or to what is hidden in it.
TEST_F(StaticContentTest, NothingElseIsServed) {
    write("a.txt", "inside");
    write(".env", "secret");
    write(".git/config", "secret");
    write("sub/.hidden", "secret");
    std::ofstream(outside() + "/secret.txt") << "secret";
    fs::create_symlink("../secret.txt", folder() + "/relative.txt");
    fs::create_symlink(outside() + "/secret.txt", folder() + "/absolute.txt");
    fs::create_directory_symlink("..", folder() + "/up");
    fs::create_symlink("loop.txt", folder() + "/loop.txt");
    fs::create_symlink("../a.txt", folder() + "/sub/inside.txt");
    ASSERT_EQ(::mkfifo((folder() + "/pipe.txt").c_str(), 0600), 0);
    EXPECT_EQ(get("/sub/inside.txt").body, "inside") << "a link that stays inside is followed";
    for (const auto* target : {"/.env",
                               "/%2eenv",
                               "/.git/config",
                               "/sub/.hidden",
                               "/../secret.txt",
                               "/sub/../../secret.txt",
                               "/%2e%2e/secret.txt",
                               "/sub/%2e%2e/%2e%2e/secret.txt",
                               "/..%2fsecret.txt",
                               "/sub%2f..%2f..%2fsecret.txt",
                               "/..%5csecret.txt",
                               "/sub%5cinside.txt",
                               "/a.txt%0a",
                               "/a.txt%7f",
                               "/./a.txt",
                               "/sub/./inside.txt",
                               "//a.txt",
                               "/sub//inside.txt",
                               "/relative.txt",
                               "/absolute.txt",
                               "/up/secret.txt",
                               "/up/",
                               "/loop.txt",
                               "/pipe.txt",
                               "/none",
                               "/a.tx",
                               "/A.TXT"}) {
        const auto refused = get(target);
        EXPECT_EQ(refused.status(), 404) << target;
        EXPECT_EQ(refused.body.find("secret\""), std::string::npos) << refused.body;
    }
    EXPECT_EQ(get("/" + std::string(300, 'x')).status(), 404);
    for (const auto* target : {"/a.txt%00", "/%00", "/a%zz", "/a%"}) {
        EXPECT_EQ(get(target).status(), 400) << target;
    }
}

// Goal: refusals are problems, and say what would do.
TEST_F(StaticContentTest, RefusalsAreProblems) {
    write("a.txt", "hello");
    const auto missing = get("/none.html");
    EXPECT_EQ(missing.status(), 404);
    EXPECT_EQ(field(missing, "content-type"), "application/problem+json");
    EXPECT_EQ(boost::json::parse(missing.body).at("code"), "not_found");
    for (const auto method : {Method::post, Method::put, Method::delete_, Method::patch}) {
        const auto refused = send(method, "/a.txt");
        EXPECT_EQ(refused.status(), 405);
        EXPECT_EQ(field(refused, "allow"), "GET, HEAD");
        EXPECT_EQ(field(refused, "content-type"), "application/problem+json");
    }
    const auto options = send(Method::options, "/a.txt");
    EXPECT_EQ(options.status(), 204);
    EXPECT_EQ(field(options, "allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(get("/a.txt").body, "hello");
}

// Goal: a folder that is not there is found out at the start.
TEST_F(StaticContentTest, MissingFolderIsRefused) {
    const auto missing = StaticContent::open(folder() + "/none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind(), Kind::not_found);
    write("a.txt", "hello");
    EXPECT_FALSE(StaticContent::open(folder() + "/a.txt"));
}

// Goal: an answer has the options' time instead of the server's.
TEST_F(StaticContentTest, AnswerHasItsOwnTime) {
    write("a.txt", "hello");
    start({.timeout = 12s}, {.request_timeout = 2s});
    EXPECT_EQ(get("/a.txt").status(), 200);
    EXPECT_GT(remaining_, 10s);
    EXPECT_LE(remaining_, 12s);
}

} // namespace
} // namespace flotilla::http::static_content_test
