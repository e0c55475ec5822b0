#include <flotilla/bus/redis/redis_sign_in.hpp>

#include <flotilla/bus/redis/redis_connection.hpp>

namespace flotilla {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(3);

task<Result<void>> sign_in(Context& context, const RedisTarget& target, Stream& stream, resp::Parser& parser) {
    RedisCommands commands;
    if (!target.password.empty() && !target.user.empty()) {
        commands.add({"AUTH", target.user, target.password});
    } else if (!target.password.empty()) {
        commands.add({"AUTH", target.password});
    }
    if (target.database != 0) commands.add({"SELECT", std::to_string(target.database)});
    if (commands.count() == 0) co_return Result<void>();
    const auto written = co_await stream.write(context, commands.bytes());
    if (!written) co_return written.error();
    std::array<char, 4096> buffer;
    for (std::size_t missing = commands.count(); missing > 0;) {
        auto reply = co_await must(parser.next());
        if (reply) {
            if (reply->is_error()) co_return redis_error(reply->text);
            --missing;
            continue;
        }
        const auto bytes = co_await stream.read(context, buffer);
        if (!bytes) co_return bytes.error();
        if (*bytes == 0) co_return Error(Kind::unavailable, "the server closed the connection while signing in");
        parser.feed({buffer.data(), *bytes});
    }
    co_return Result<void>();
}

} // namespace

task<Result<std::unique_ptr<Stream>>> connect_redis(Context& caller, const RedisTarget& target, resp::Parser& parser) {
    Context context(caller, kConnectTimeout);
    auto connected = co_await caller.world().connect(context, target.address);
    std::optional<Error> failure;
    if (!connected) {
        failure = std::move(connected.error());
    } else if (auto signed_in = co_await sign_in(context, target, **connected, parser); !signed_in) {
        failure = std::move(signed_in.error());
    }
    if (caller.cancelled()) co_return caller.reason();
    if (failure)
        co_return Error(Kind::unavailable, "redis_unreachable", target.address.to_string() + ": " + failure->message());
    co_return std::move(*connected);
}

} // namespace flotilla
