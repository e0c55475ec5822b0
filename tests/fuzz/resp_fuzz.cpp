#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include <flotilla/bus/redis/resp.hpp>

#include "tests/fuzz/fuzz.hpp"

// The same bytes as replies a client reads and as commands a server reads: however they are cut, the same values or
// commands come out and the same bytes are refused; written again they are read again.

namespace flotilla::resp {
namespace {

using fuzz::require;

const Limits kSmall{
    .bulk_bytes_max = 64, .message_bytes_max = 256, .items_max = 8, .depth_max = 4, .line_bytes_max = 32};

/// What came out of a parser, as text that shows every byte.
struct Outcome {
    std::vector<Value> values;
    std::vector<std::vector<std::string>> commands;
    std::string error;
};

template <class AnyParser, class Take>
Outcome read(std::string_view bytes, std::size_t step, const Limits& limits, Take take) {
    AnyParser parser(limits);
    Outcome outcome;
    for (std::size_t at = 0; at < bytes.size() && outcome.error.empty(); at += step) {
        parser.feed(bytes.substr(at, step));
        while (true) {
            auto next = parser.next();
            if (!next) {
                outcome.error = next.error().message();
                require(!outcome.error.empty(), "an error without a message");
                break;
            }
            if (!*next) break;
            take(outcome, **next);
        }
        require(parser.pending() <= bytes.size(), "more bytes are pending than were fed");
    }
    return outcome;
}

Outcome read_replies(std::string_view bytes, std::size_t step, const Limits& limits) {
    return read<Parser>(bytes, step, limits,
                        [](Outcome& outcome, Value& value) { outcome.values.push_back(std::move(value)); });
}

Outcome read_commands(std::string_view bytes, std::size_t step, const Limits& limits) {
    return read<CommandParser>(bytes, step, limits, [](Outcome& outcome, std::span<const std::string_view> command) {
        require(!command.empty(), "an empty command came out");
        outcome.commands.emplace_back(command.begin(), command.end());
    });
}

void write(std::string& out, const Value& value) {
    switch (value.type) {
    case Value::Type::integer:
        return write_integer(out, value.integer);
    case Value::Type::null:
        return write_null(out, 3);
    case Value::Type::array:
        write_array(out, value.items.size());
        break;
    case Value::Type::set:
        out += "~" + std::to_string(value.items.size()) + "\r\n";
        break;
    case Value::Type::map:
        write_map(out, value.items.size() / 2, 3);
        break;
    case Value::Type::push:
        write_push(out, value.items.size(), 3);
        break;
    case Value::Type::boolean:
        out += value.integer != 0 ? "#t\r\n" : "#f\r\n";
        return;
    case Value::Type::number:
        out += "(" + value.text + "\r\n";
        return;
    case Value::Type::error:
        out += "!" + std::to_string(value.text.size()) + "\r\n" + value.text + "\r\n";
        return;
    case Value::Type::simple:
        out += "+" + value.text + "\r\n";
        return;
    case Value::Type::bulk:
        return write_bulk(out, value.text);
    }
    for (const auto& item : value.items)
        write(out, item);
}

bool has_number(const Value& value) {
    if (value.type == Value::Type::number) return true; // doubles and big numbers have rules of their own
    for (const auto& item : value.items) {
        if (has_number(item)) return true;
    }
    return false;
}

void check_replies(std::string_view bytes, const Limits& limits) {
    const auto whole = read_replies(bytes, bytes.size(), limits);
    for (const std::size_t step : std::array<std::size_t, 2>{1, 5}) {
        const auto cut = read_replies(bytes, step, limits);
        require(cut.values == whole.values, "the cuts change the replies");
        require(cut.error.empty() == whole.error.empty(), "the cuts change the verdict");
    }
    for (const auto& value : whole.values) {
        if (has_number(value)) continue;
        std::string out;
        write(out, value);
        const auto again = read_replies(out, out.size(), {});
        require(again.error.empty() && again.values == std::vector<Value>{value},
                "a reply changes when written and read");
    }
}

void check_commands(std::string_view bytes, const Limits& limits) {
    const auto whole = read_commands(bytes, bytes.size(), limits);
    for (const std::size_t step : std::array<std::size_t, 2>{1, 5}) {
        const auto cut = read_commands(bytes, step, limits);
        require(cut.commands == whole.commands, "the cuts change the commands");
        require(cut.error.empty() == whole.error.empty(), "the cuts change the verdict");
    }
    for (const auto& command : whole.commands) {
        std::string out;
        write_command(out, std::span<const std::string>(command));
        const auto again = read_commands(out, out.size(), {});
        require(again.error.empty() && again.commands == std::vector<std::vector<std::string>>{command},
                "a command changes when written and read");
    }
}

/// Words in quotes, every byte escaped.
void check_words(std::string_view line) {
    const auto words = split_words(line);
    if (!words) return;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string quoted;
    for (const auto& word : *words) {
        quoted += " \"";
        for (const unsigned char byte : word)
            quoted.append("\\x").append(1, digits[byte / 16]).append(1, digits[byte % 16]);
        quoted += '"';
    }
    require(split_words(quoted) == words, "words change when quoted and split");
}

} // namespace
} // namespace flotilla::resp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    if (size == 0) return 0;
    const auto bytes = fuzz::text_of(data, size);
    for (const auto& limits : {resp::Limits{}, resp::kSmall}) {
        resp::check_replies(bytes, limits);
        resp::check_commands(bytes, limits);
    }
    resp::check_words(bytes);
    return 0;
}
