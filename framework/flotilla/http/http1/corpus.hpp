#pragma once

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/http/message.hpp>

namespace flotilla::http {

/// What one message of a corpus case amounts to.
struct CorpusVerdict {
    int status = 0;   ///< of the refusal; 0: not refused
    std::string text; ///< "METHOD target authority [body]<trailer: value>"; "..." when more must come first
    /// Behind a gateway: the status it answers by itself, and the target that arrives when it is another one.
    std::optional<int> gateway_status;
    std::optional<std::string> upstream_target;
    std::optional<std::string> upstream_trailers; ///< what arrives of them when it is not all

    bool refused() const { return status != 0; }
    bool unfinished() const { return text == "..."; }
    bool accepted() const { return !refused() && !unfinished(); }
};

/// A case of tests/conformance/http/requests.txt, whose head describes the format.
struct CorpusCase {
    std::string name;
    std::vector<CorpusVerdict> want;
    bool closed = false; ///< the connection ends after the last message
    std::string bytes;
};

/// The limits the corpus counts with, next to ServerOptions' own.
constexpr std::size_t kCorpusBodyMax = 1000;

/// A message as the corpus writes it.
inline std::string described(const RequestHead& head, std::string_view body, const Headers& trailers) {
    std::string text = head.method_name + " " + head.target + " " + head.authority + " [" + std::string(body) + "]";
    for (std::size_t i = 0; i < trailers.size(); ++i)
        text.append("<").append(trailers[i].name).append(": ").append(trailers[i].value).append(">");
    return text;
}

/// The final statuses in what a server has sent, without interim ones.
inline std::vector<int> statuses_of(std::string_view received) {
    static constexpr std::string_view kStart = "HTTP/1.1 ";
    std::vector<int> statuses;
    for (auto at = received.find(kStart); at != std::string_view::npos; at = received.find(kStart, at + 1)) {
        int status = 0;
        const auto digits = received.substr(at + kStart.size(), 3);
        if (std::from_chars(digits.data(), digits.data() + digits.size(), status).ptr != digits.data() + 3) continue;
        if (status >= 200) statuses.push_back(status);
    }
    return statuses;
}

/// Reads tests/conformance/http/requests.txt, for tests. Thread-safety: none.
class CorpusReader {
public:
    static std::vector<CorpusCase> read() {
        const char* source = std::getenv("FLOTILLA_SOURCE");
        const auto path = std::filesystem::path(source ? source : ".") / "tests/conformance/http/requests.txt";
        std::ifstream file(path, std::ios::binary);
        if (!file)
            throw std::runtime_error("cannot read " + path.string() + "; FLOTILLA_SOURCE names the project's folder");
        CorpusReader reader;
        int number = 0;
        for (std::string line; std::getline(file, line);) {
            ++number;
            if (!reader.take(line)) {
                throw std::runtime_error(path.string() + ":" + std::to_string(number) + ": what is '" + line + "'?");
            }
        }
        return std::move(reader.cases_);
    }

private:
    bool take(std::string_view line) {
        if (line.empty() || line.starts_with('#')) return true;
        if (line.starts_with('[') && line.ends_with(']')) {
            cases_.push_back({.name = std::string(line.substr(1, line.size() - 2))});
            return true;
        }
        if (cases_.empty()) return false;
        auto& now = cases_.back();
        if (line == "|" || line.starts_with("| ")) return add_bytes(now, line.size() > 2 ? line.substr(2) : "");
        if (line == "closed") return now.closed = true;
        const auto colon = line.find(": ");
        if (colon == std::string_view::npos) return false;
        const auto key = line.substr(0, colon);
        const auto value = line.substr(colon + 2);
        if (key == "rule" || key == "tags") return true;
        if (key == "want") {
            auto& verdict = now.want.emplace_back();
            if (!number(value, verdict.status)) verdict.text = unescaped(value);
            return true;
        }
        if (now.want.empty()) return false;
        if (key == "gateway") return number(value, now.want.back().gateway_status.emplace());
        if (key == "upstream trailers") now.want.back().upstream_trailers = unescaped(value);
        if (key == "upstream") now.want.back().upstream_target = unescaped(value);
        return key.starts_with("upstream");
    }

    static bool add_bytes(CorpusCase& now, std::string_view line) {
        const bool open = line.ends_with('\\') && !line.ends_with("\\\\");
        now.bytes += unescaped(open ? line.substr(0, line.size() - 1) : line);
        if (!open) now.bytes += "\r\n";
        return true;
    }

    static bool number(std::string_view text, int& value) {
        const auto end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        return error == std::errc{} && stop == end;
    }

    /// \r \n \t \0 \\ \s (a space) \xHH, and \{N*text}.
    static std::string unescaped(std::string_view text) {
        std::string out;
        while (!text.empty()) {
            const char c = text.front();
            if (c != '\\' || text.size() == 1) {
                out += c;
                text.remove_prefix(1);
                continue;
            }
            const char kind = text[1];
            text.remove_prefix(2);
            static constexpr std::string_view kNames = "rnt0s\\", kBytes("\r\n\t\0 \\", 6);
            if (const auto at = kNames.find(kind); at != std::string_view::npos) {
                out += kBytes[at];
            } else if (kind == 'x') {
                unsigned value = 0;
                std::from_chars(text.data(), text.data() + 2, value, 16);
                out += static_cast<char>(value);
                text.remove_prefix(2);
            } else if (kind == '{') {
                const auto end = text.find('}');
                int times = 0;
                const auto star = std::from_chars(text.data(), text.data() + end, times).ptr + 1;
                const auto piece = unescaped({star, text.data() + end});
                for (int i = 0; i < times; ++i)
                    out += piece;
                text.remove_prefix(end + 1);
            } else {
                throw std::runtime_error(std::string("unknown escape \\") + kind);
            }
        }
        return out;
    }

    std::vector<CorpusCase> cases_;
};

} // namespace flotilla::http
