#include <flotilla/discovery/dns/dns_message.hpp>

#include <array>
#include <optional>

#include <arpa/inet.h>

#include <flotilla/base/ascii.hpp>

namespace flotilla::dns {
namespace {

constexpr std::uint16_t kClassInternet = 1;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kIsAnswer = 0x8000;
constexpr std::uint16_t kVerdictMask = 0x000f;
constexpr std::uint8_t kTypeOpt = 41;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::uint8_t kPointerMask = 0xc0;

/// Reads a message from front to back; what does not fit ends the reading.
class Reader {
public:
    explicit Reader(std::string_view message) : message_(message) {}

    bool good() const { return good_; }
    std::size_t at() const { return at_; }
    std::uint8_t byte() {
        if (at_ >= message_.size()) return fail();
        return static_cast<std::uint8_t>(message_[at_++]);
    }
    std::uint16_t number16() {
        const auto high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::uint32_t number32() {
        const std::uint32_t high = number16();
        return high << 16 | number16();
    }
    std::string_view bytes(std::size_t count) {
        if (count > message_.size() - at_) {
            fail();
            return {};
        }
        at_ += count;
        return message_.substr(at_ - count, count);
    }
    /// A name, its pointers followed (RFC 1035 §4.1.4): each must point before the last, so that they end.
    std::string name() {
        std::string text;
        std::size_t after = 0; // where reading goes on behind the first pointer
        std::size_t limit = at_;
        while (good_) {
            const auto size = byte();
            if (size == 0) break;
            if ((size & kPointerMask) == kPointerMask) {
                const std::size_t target = static_cast<std::size_t>(size & ~kPointerMask) << 8 | byte();
                if (after == 0) after = at_;
                if (target >= limit) fail();
                limit = target;
                at_ = target;
                continue;
            }
            const auto label = size > 63 ? (fail(), std::string_view()) : bytes(size);
            if (!text.empty()) text += '.';
            text += ascii_lower(label);
            if (text.size() > kNameBytesMax) fail();
        }
        if (after != 0) at_ = after;
        return text;
    }

private:
    std::uint8_t fail() {
        good_ = false;
        return 0;
    }
    std::string_view message_;
    std::size_t at_ = 0;
    bool good_ = true;
};

void put16(std::string& out, unsigned value) {
    out += static_cast<char>(value >> 8 & 0xff);
    out += static_cast<char>(value & 0xff);
}

void put_name(std::string& out, std::string_view name) {
    for (std::size_t at = 0; at < name.size();) {
        const auto dot = std::min(name.find('.', at), name.size());
        out += static_cast<char>(dot - at);
        out += name.substr(at, dot - at);
        at = dot + 1;
    }
    out += '\0';
}

/// Empty when those are not the bytes of an address.
std::string address_text(int family, std::string_view bytes) {
    if (bytes.size() != (family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr))) return {};
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, bytes.data(), text.data(), text.size());
    return text.data();
}

/// The data of one record. Returns false when it is not what its type has.
bool read_data(Reader& reader, std::size_t size, Record& record) {
    const auto end = reader.at() + size;
    switch (record.type) {
    case Type::a:
        record.text = address_text(AF_INET, reader.bytes(size));
        break;
    case Type::aaaa:
        record.text = address_text(AF_INET6, reader.bytes(size));
        break;
    case Type::cname:
        record.text = reader.name();
        break;
    case Type::srv:
        record.priority = reader.number16();
        record.weight = reader.number16();
        record.port = reader.number16();
        record.text = reader.name();
        break;
    case Type::soa: {
        std::ignore = reader.name();
        std::ignore = reader.name();
        for (int i = 0; i < 4; ++i)
            std::ignore = reader.number32(); // serial, refresh, retry, expire
        record.negative_ttl = std::min(record.ttl, reader.number32());
        break;
    }
    }
    const bool address = record.type == Type::a || record.type == Type::aaaa;
    return reader.good() && reader.at() == end && !(address && record.text.empty());
}

bool is_known(std::uint16_t type) {
    for (const auto known : {Type::a, Type::cname, Type::soa, Type::aaaa, Type::srv}) {
        if (type == static_cast<std::uint16_t>(known)) return true;
    }
    return false;
}

bool read_records(Reader& reader, std::size_t count, std::vector<Record>& into) {
    for (std::size_t i = 0; i < count; ++i) {
        Record record;
        record.name = reader.name();
        const auto type = reader.number16();
        const auto the_class = reader.number16();
        record.ttl = reader.number32();
        if (record.ttl > INT32_MAX) record.ttl = 0; // RFC 2181 §8
        const std::size_t size = reader.number16();
        if (!reader.good()) return false;
        if (!is_known(type) || the_class != kClassInternet) {
            std::ignore = reader.bytes(size);
            if (!reader.good()) return false;
            continue;
        }
        record.type = static_cast<Type>(type);
        if (!read_data(reader, size, record)) return false;
        into.push_back(std::move(record));
    }
    return true;
}

Error bad_message(std::string_view what) {
    return {Kind::bad_gateway, "bad_registry_answer", "the DNS server's answer " + std::string(what)};
}

} // namespace

std::string query(std::uint16_t id, const Question& question) {
    std::string out;
    put16(out, id);
    put16(out, kRecursionDesired);
    put16(out, 1); // questions
    put16(out, 0);
    put16(out, 0);
    put16(out, 1); // additional: OPT
    put_name(out, question.name);
    put16(out, static_cast<std::uint16_t>(question.type));
    put16(out, kClassInternet);
    out += '\0'; // OPT of the root (RFC 6891 §6.1.2)
    put16(out, kTypeOpt);
    put16(out, 4096); // UDP only
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    return out;
}

Result<Answer> parse_answer(std::string_view message, std::uint16_t id, const Question& question) {
    Reader reader(message);
    const auto its_id = reader.number16();
    const auto flags = reader.number16();
    const auto questions = reader.number16();
    const std::size_t answers = reader.number16(), authority = reader.number16(), additional = reader.number16();
    if (!reader.good() || (flags & kIsAnswer) == 0) return bad_message("is no answer");
    if (its_id != id || questions > 1) return bad_message("is to another question");
    if (questions == 1) {
        const auto name = reader.name();
        const auto type = reader.number16();
        if (reader.number16() != kClassInternet || name != question.name ||
            type != static_cast<std::uint16_t>(question.type))
            return bad_message("is to another question than " + question.name);
    }
    Answer answer{.verdict = static_cast<Verdict>(flags & kVerdictMask)};
    if (!reader.good() || !read_records(reader, answers, answer.answers) ||
        !read_records(reader, authority, answer.authority) || !read_records(reader, additional, answer.additional))
        return bad_message("is damaged");
    return answer;
}

} // namespace flotilla::dns
