#include <flotilla/discovery/dns/dns_resolver.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include <flotilla/aio/stream.hpp>
#include <flotilla/discovery/registry_errors.hpp>
#include <flotilla/discovery/service_name.hpp>

namespace flotilla::dns {
namespace {

constexpr Duration kServerTimeout = std::chrono::seconds(2);
constexpr std::uint16_t kPort = 53;
constexpr std::size_t kServersMax = 3; ///< resolv.conf(5): MAXNS
constexpr int kNdotsMax = 15;

task<Result<void>> read_exactly(Context& context, Stream& stream, std::span<char> into) {
    while (!into.empty()) {
        const auto count = co_await must(co_await stream.read(context, into));
        if (count == 0) co_return Error(Kind::unavailable, "the DNS server closed the connection");
        into = into.subspan(count);
    }
    co_return Result<void>();
}

/// Over TCP each message has its size in front (RFC 1035 §4.2.2).
task<Result<std::string>> read_message(Context& context, Stream& stream) {
    std::array<char, 2> size{};
    co_await must(read_exactly(context, stream, size));
    std::string message((static_cast<unsigned char>(size[0]) << 8) | static_cast<unsigned char>(size[1]), '\0');
    co_await must(read_exactly(context, stream, message));
    co_return message;
}

std::string framed(const std::string& message) {
    std::string out{static_cast<char>(message.size() >> 8), static_cast<char>(message.size() & 0xff)};
    return out + message;
}

std::vector<std::string> words_of(std::string_view line) {
    std::vector<std::string> words;
    while (true) {
        line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
        if (line.empty() || line.front() == '#' || line.front() == ';') return words;
        const auto end = std::min(line.find_first_of(" \t\r"), line.size());
        words.emplace_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

void take_options(const std::vector<std::string>& words, SystemResolver& into) {
    constexpr std::string_view kNdots = "ndots:";
    for (const std::string_view word : words) {
        if (!word.starts_with(kNdots)) continue;
        int ndots = 1;
        const auto digits = word.substr(kNdots.size());
        if (std::from_chars(digits.data(), digits.data() + digits.size(), ndots).ec == std::errc())
            into.ndots = std::clamp(ndots, 0, kNdotsMax);
    }
}

/// The last line counts. "." is the root, which a name that is tried as it is has already.
void take_domains(const std::vector<std::string>& words, SystemResolver& into) {
    into.search.clear();
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (const auto domain = ServiceName::parse(words[i])) into.search.push_back(domain->host);
    }
}

} // namespace

task<Result<std::vector<Answer>>> Resolver::ask_one(Context& context, const Address& server,
                                                    const std::vector<Question>& questions) {
    const auto stream = co_await must(world_.connect(context, server));
    std::vector<Answer> answers;
    for (const auto& question : questions) {
        const auto id = static_cast<std::uint16_t>(world_.random());
        const auto message = framed(query(id, question));
        co_await must(co_await stream->write(context, message));
        auto answer = co_await must(parse_answer(co_await must(read_message(context, *stream)), id, question));
        if (answer.verdict != Verdict::ok && answer.verdict != Verdict::no_such_name) {
            co_return refused_by_registry("the DNS server answered " +
                                          std::to_string(static_cast<int>(answer.verdict)) + " to " + question.name +
                                          ", from " + server.to_string());
        }
        answers.push_back(std::move(answer));
    }
    co_return answers;
}

task<Result<std::vector<Answer>>> Resolver::ask(Context& context, std::vector<Question> questions) {
    std::optional<Error> last;
    for (const auto& server : servers_) {
        Context limited(context, kServerTimeout);
        auto answers = co_await ask_one(limited, server, questions);
        if (answers) co_return answers;
        co_await must(context.check());
        last = limited.cancelled()
                   ? Error(Kind::bad_gateway, "no_response", "no answer from the DNS server " + server.to_string())
                   : std::move(answers.error());
    }
    co_return std::move(*last);
}

SystemResolver parse_resolv_conf(std::string_view text) {
    SystemResolver system;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.size() < 2) continue;
        if (words[0] == "nameserver" && system.servers.size() < kServersMax)
            system.servers.push_back(Address::tcp(words[1], kPort));
        if (words[0] == "search" || words[0] == "domain") take_domains(words, system);
        if (words[0] == "options") take_options(words, system);
    }
    if (system.servers.empty()) system.servers.push_back(Address::tcp("127.0.0.1", kPort));
    return system;
}

} // namespace flotilla::dns
