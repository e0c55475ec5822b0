// Files that a host serves beside its endpoints.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <flotilla/service/test_host.hpp>

namespace flotilla::host_files_test {
namespace {

using namespace test;

struct Version {
    std::string version;
};
struct Name {
    std::string name;
};

constexpr Service service{"test-service"};
constexpr Endpoint<Empty, Version> version{service, Method::get, "/ui/version"};
constexpr Endpoint<Name, Version> rename{service, Method::put, "/ui/{name}"};

task<Result<Version>> tell(Context&, Empty) { co_return Version{"1.2"}; }
task<Result<Version>> change(Context&, Name request) { co_return Version{request.name}; }

class HostFilesTest : public testing::Test {
protected:
    HostFilesTest() {
        write("index.html", "index");
        write("app.js", "let a;");
        write("version", "a file in the shadow of an endpoint");
    }
    void write(const std::string& name, const std::string& content) {
        std::ofstream(folder_.path() + "/" + name, std::ios::binary) << content;
    }
    void serve(std::string prefix) {
        host_.emplace(bench_, [this, prefix](Host& host) {
            host.serve(version, tell);
            host.serve(rename, change);
            host.serve_files(prefix, folder_.path(), {.cache_control = "max-age=5"});
        });
    }

    TemporaryFolder folder_;
    Bench bench_;
    std::optional<TestHost> host_;
};

// Goal: files lie under the prefix, with the options given; endpoints come first; what is neither is refused as ever.
TEST_F(HostFilesTest, FilesLieUnderThePrefix) {
    serve("/ui");
    const auto script = host_->get("/ui/app.js");
    EXPECT_EQ(script.status(), 200);
    EXPECT_EQ(script.body, "let a;");
    EXPECT_EQ(script.head.headers.get("content-type"), "text/javascript; charset=utf-8");
    EXPECT_EQ(script.head.headers.get("cache-control"), "max-age=5");
    EXPECT_EQ(host_->get("/%75i/app.js").body, "let a;");
    EXPECT_EQ(host_->get("/ui/").body, "index");
    const auto redirect = host_->get("/ui?x=1");
    EXPECT_EQ(redirect.status(), 301);
    EXPECT_EQ(redirect.head.headers.get("location"), "./ui/?x=1");
    EXPECT_EQ(host_->send("HEAD", "/ui/app.js").status(), 200);
    EXPECT_EQ(host_->get("/ui/version").body, R"({"version":"1.2"})");
    EXPECT_EQ(host_->send("PUT", "/ui/app.js").body, R"({"version":"app.js"})");

    EXPECT_EQ(host_->get("/app.js").status(), 404);
    const auto missing = host_->get("/ui/none.js");
    EXPECT_EQ(missing.status(), 404);
    EXPECT_EQ(code_of(missing), "not_found");
    const auto refused = host_->send("DELETE", "/ui/");
    EXPECT_EQ(refused.status(), 405);
    EXPECT_EQ(refused.head.headers.get("allow"), "GET, HEAD");
    EXPECT_EQ(host_->send("OPTIONS", "/ui/").head.headers.get("allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(host_->get("/ui/app.js", {{"if-match", "\"other\""}}).status(), 412);
}

// Goal: in metrics all files are one route; the contract knows none of them.
TEST_F(HostFilesTest, MetricsKnowThePrefix) {
    serve("/ui");
    host_->get("/ui/app.js");
    host_->get("/ui/index.html");
    host_->get("/ui/none.js");
    const auto metrics = host_->get("/metrics").body;
    EXPECT_NE(metrics.find("http_server_request_duration_seconds_count{http_request_method=\"GET\","
                           "http_route=\"/ui/{file...}\",http_response_status_code=\"200\"} 2"),
              std::string::npos)
        << metrics;
    EXPECT_EQ(metrics.find("app.js"), std::string::npos);
    EXPECT_EQ(host_->get("/openapi.json").body.find("file..."), std::string::npos);
}

// Goal: files at the root leave the framework's own pages and the endpoints where they are.
TEST_F(HostFilesTest, RootLeavesTheOwnPagesAlone) {
    write("metrics", "a file");
    serve("/");
    EXPECT_EQ(host_->get("/").body, "index");
    EXPECT_EQ(host_->get("/app.js").body, "let a;");
    EXPECT_EQ(host_->get("/livez").status(), 200);
    EXPECT_NE(host_->get("/metrics").body, "a file");
    EXPECT_NE(host_->get("/%6detrics").body, "a file");
    EXPECT_EQ(host_->get("/%6Civez").status(), 200);
    EXPECT_EQ(host_->get("/ui/version").body, R"({"version":"1.2"})");
    EXPECT_EQ(host_->get("/none").status(), 404);
}

// Goal: what cannot be served keeps the service from starting, and says why.
TEST_F(HostFilesTest, BadFoldersAndPrefixesFailAtTheStart) {
    const auto install = [&](std::string prefix, std::string folder) {
        TestHost host(bench_, [&](Host& made) {
            made.serve_files("/ui", folder_.path());
            made.serve_files(prefix, folder);
        });
    };
    EXPECT_THROW(install("/other", folder_.path() + "/none"), std::runtime_error);
    EXPECT_THROW(install("/ui", folder_.path()), std::logic_error);
    for (const auto* prefix : {"", "ui", "/ui/", "/{id}"})
        EXPECT_THROW(install(prefix, folder_.path()), std::logic_error) << prefix;
    EXPECT_NO_THROW(install("/other", folder_.path()));
}

task<bool> download_of_shrinking(Context& context, http::Client& client, Address address, std::string file) {
    auto exchange = value(co_await client.open(context, std::move(address)));
    http::RequestHead head;
    head.target = "/ui/large.bin";
    EXPECT_TRUE(co_await exchange->send_whole(context, head, {}));
    EXPECT_TRUE(co_await exchange->receive(context));
    std::filesystem::resize_file(file, 1 << 20);
    while (true) {
        const auto piece = co_await exchange->read(context);
        if (!piece) co_return false;
        if (piece->empty()) co_return true;
    }
}

// Goal: an answer that had to be broken off is in the log, although nobody could be told.
TEST_F(HostFilesTest, BrokenAnswerIsLogged) {
    write("large.bin", "");
    std::filesystem::resize_file(folder_.path() + "/large.bin", 256 << 20);
    serve("/ui");
    Context bounded(bench_.root(), Duration(std::chrono::seconds(20)));
    EXPECT_FALSE(
        bench_.wait(download_of_shrinking(bounded, bench_.client(), host_->address(), folder_.path() + "/large.bin")));
    EXPECT_TRUE(bench_.eventually([&] { return bench_.lines_with("became shorter").size() == 1; }));
}

} // namespace
} // namespace flotilla::host_files_test
