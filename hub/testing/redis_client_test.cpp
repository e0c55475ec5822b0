#include "hub/testing/redis_client.hpp"

#include <stdexcept>

// The implementation of the client, in a file that only the test binary gets.

namespace flotilla::hub {

void RedisClient::send(const Words& command) {
    std::string bytes;
    resp::write_command(bytes, command);
    socket_.send(bytes);
}

resp::Value RedisClient::receive() {
    for (;;) {
        auto value = parser_.next();
        if (!value) throw std::runtime_error(value.error().message());
        if (*value) return std::move(**value);
        const std::string bytes = socket_.receive();
        if (bytes.empty()) throw std::runtime_error("the server closed the connection");
        parser_.feed(bytes);
    }
}

namespace {

std::string show_items(const resp::Value& value, const char* open, const char* close) {
    std::string text = open;
    for (const resp::Value& item : value.items) {
        if (text.size() > std::string_view(open).size()) text += ' ';
        text += show(item);
    }
    return text + close;
}

} // namespace

std::string show(const resp::Value& value) {
    using Type = resp::Value::Type;
    switch (value.type) {
    case Type::simple:
        return "+" + value.text;
    case Type::error:
        return "-" + value.text;
    case Type::integer:
        return ":" + std::to_string(value.integer);
    case Type::bulk:
        return '"' + value.text + '"';
    case Type::null:
        return "nil";
    case Type::array:
        return show_items(value, "[", "]");
    case Type::set:
        return show_items(value, "~[", "]");
    case Type::map:
        return show_items(value, "{", "}");
    case Type::push:
        return show_items(value, ">[", "]");
    case Type::boolean:
        return value.integer ? "#t" : "#f";
    case Type::number:
        return "," + value.text;
    }
    return "?";
}

} // namespace flotilla::hub
