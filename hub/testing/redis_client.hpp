#pragma once

#include <string>
#include <vector>

#include <flotilla/bus/redis/resp.hpp>

#include "hub/testing/socket_client.hpp"

namespace flotilla::hub {

using Words = std::vector<std::string>;

/// A blocking Redis client for tests. Throws when the server closes or does not speak RESP.
class RedisClient {
public:
    explicit RedisClient(SocketClient socket) : socket_(std::move(socket)) {}
    explicit RedisClient(std::uint16_t port) : socket_(SocketClient::tcp(port)) {}

    void send(const Words& command);
    resp::Value receive();
    resp::Value operator()(const Words& command) {
        send(command);
        return receive();
    }
    SocketClient& socket() { return socket_; }

private:
    SocketClient socket_;
    resp::Parser parser_;
};

/// A value on one line: +OK, -ERR ..., :1, "bulk", nil, [a b], {k v}, >[push].
std::string show(const resp::Value& value);

} // namespace flotilla::hub
