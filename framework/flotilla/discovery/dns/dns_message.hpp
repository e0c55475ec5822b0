#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>

namespace flotilla::dns {

/// The few kinds of records that tell where a service is.
enum class Type : std::uint16_t { a = 1, cname = 5, soa = 6, aaaa = 28, srv = 33 };

struct Question {
    std::string name; ///< without the last dot, in lower case
    Type type = Type::a;
    bool operator==(const Question&) const = default;
};

/// One record of an answer; others than Type's are left out when it is read.
struct Record {
    std::string name; ///< in lower case
    Type type = Type::a;
    std::uint32_t ttl = 0;          ///< seconds
    std::string text;               ///< a, aaaa: the address; cname, srv: the target, in lower case
    std::uint16_t priority = 0;     ///< srv: the lowest first
    std::uint16_t weight = 0;       ///< srv
    std::uint16_t port = 0;         ///< srv
    std::uint32_t negative_ttl = 0; ///< soa: how long it holds that something does not exist (RFC 2308 §5)
    bool operator==(const Record&) const = default;
};

/// RFC 1035 §4.1.1.
enum class Verdict : std::uint8_t { ok = 0, format_error = 1, server_failure = 2, no_such_name = 3, refused = 5 };

struct Answer {
    Verdict verdict = Verdict::ok;
    std::vector<Record> answers, authority, additional;
};

/// A recursive query with EDNS, which lets answers be long. Requires: the name's labels are 1 to 63 bytes.
std::string query(std::uint16_t id, const Question& question);

/// Reads a server's answer to a query. Errors: bad_gateway when it is no message, or the answer to another question.
Result<Answer> parse_answer(std::string_view message, std::uint16_t id, const Question& question);

} // namespace flotilla::dns
