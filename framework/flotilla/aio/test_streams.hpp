#pragma once

// What the tests of this layer share: connected streams, a folder for sockets, and turns of the loop instead of sleeps.

#include <coroutine>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/stream.hpp>
#include <flotilla/aio/world.hpp>

namespace flotilla {

/// A folder that goes with the test.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "flotilla_aio_XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// `co_await next_turn(world)` goes on after everything that was posted so far.
struct next_turn {
    World& world;
    explicit next_turn(World& loop_world) : world(loop_world) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) const {
        world.post([awaiting] { awaiting.resume(); });
    }
    void await_resume() const {}
};

/// Lets the loop turn a few times: enough for whatever is ready to have happened.
inline task<void> several_turns(World& world, int turns = 5) {
    for (int i = 0; i < turns; ++i)
        co_await next_turn(world);
}

struct StreamPair {
    std::unique_ptr<Stream> client;
    std::unique_ptr<Stream> server;
};

inline task<Result<StreamPair>> connected_pair(Context& context, Address address) {
    auto listener = co_await must(context.world().listen(address));
    StreamPair pair;
    pair.client = co_await must(context.world().connect(context, listener->local()));
    pair.server = co_await must(listener->accept(context));
    co_return pair;
}

/// Writes all of `text`.
inline task<Result<void>> write_text(Context& context, Stream& stream, std::string text) {
    co_await must(co_await stream.write(context, text));
    co_return {};
}

/// Reads exactly `size` bytes, or less when the peer ends before.
inline task<Result<std::string>> read_text(Context& context, Stream& stream, std::size_t size) {
    std::string text(size, '\0');
    std::size_t filled = 0;
    while (filled < size) {
        const std::size_t count = co_await must(co_await stream.read(context, std::span(text).subspan(filled)));
        if (count == 0) break;
        filled += count;
    }
    text.resize(filled);
    co_return text;
}

} // namespace flotilla
