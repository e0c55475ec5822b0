#pragma once

// Part of the tests of static content.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/server.hpp>
#include <flotilla/http/static_content.hpp>

namespace flotilla::http {

/// A folder that is served by a real server, with a client.
class StaticContentTest : public testing::Test {
protected:
    static constexpr std::int64_t kLongAgo = 784'111'777; ///< Sun, 06 Nov 1994 08:49:37 GMT

    StaticContentTest() {
        if (::mkdtemp(outside_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        std::filesystem::create_directory(folder());
    }
    ~StaticContentTest() override {
        scope_.cancel(Error(Kind::cancelled, "the test is over"));
        loop_.run_until_done(scope_.join());
        std::filesystem::remove_all(outside_);
    }

    std::string outside() const { return outside_; }
    std::string folder() const { return outside_ + "/served"; }
    /// Writes a file, last modified at `seconds` since the epoch.
    void write(const std::string& name, const std::string& content, std::int64_t seconds = kLongAgo) {
        const auto path = std::filesystem::path(folder()) / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
        touch(name, seconds);
    }
    void touch(const std::string& name, std::int64_t seconds) {
        const timespec times[2]{{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
        if (::utimensat(AT_FDCWD, (folder() + "/" + name).c_str(), times, 0) != 0)
            throw std::runtime_error("utimensat failed");
    }
    void resize(const std::string& name, std::uintmax_t size) {
        std::filesystem::resize_file(folder() + "/" + name, size);
    }
    std::int64_t now() { return loop_.world().now().microseconds() / 1'000'000; }

    /// Serves the folder; requests go to the server started last.
    void start(StaticOptions options = {}, ServerOptions server_options = {}) {
        auto& content = *contents_.emplace_back(
            std::make_unique<StaticContent>(StaticContent::open(folder(), std::move(options)).value()));
        auto& server = *servers_.emplace_back(std::make_unique<Server>(
            loop_.world(),
            [this, &content](Context& context, Exchange& exchange) -> task<void> {
                co_await content.handle(context, exchange, exchange.request().path());
                remaining_ = context.remaining();
            },
            server_options));
        address_ = server.listen(Address::tcp("127.0.0.1", 0)).value();
        scope_.spawn(server.run(scope_.context()));
    }

    using Fields = std::vector<std::pair<std::string, std::string>>;
    Response send(Method method, std::string target, const Fields& fields = {}) {
        if (servers_.empty()) start();
        Request request;
        request.head.method = method;
        request.head.method_name = name(method);
        request.head.target = std::move(target);
        for (const auto& [field, value] : fields)
            request.head.headers.add(field, value);
        Context context(context_, Duration(std::chrono::seconds(15)));
        auto response = loop_.run_until_done(client_.fetch(context, address_, std::move(request)));
        if (!response) throw std::runtime_error(response.error().message());
        return std::move(*response);
    }
    Response get(std::string target, const Fields& fields = {}) { return send(Method::get, std::move(target), fields); }
    static std::string field(const Response& response, std::string_view name) {
        return std::string(response.head.headers.get(name).value_or("(none)"));
    }

    Loop loop_;
    Context root_{loop_.world()};
    Context context_{root_, Duration(std::chrono::seconds(20))};
    Client client_{loop_.world(), {.response_bytes_max = 1 << 30}};
    std::vector<std::unique_ptr<StaticContent>> contents_;
    std::vector<std::unique_ptr<Server>> servers_;
    Address address_;
    Duration remaining_{};
    Scope scope_{root_};

private:
    std::string outside_ = (std::filesystem::temp_directory_path() / "flotilla-static-XXXXXX").string();
};

} // namespace flotilla::http
