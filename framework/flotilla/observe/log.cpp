#include <flotilla/observe/log.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <functional>
#include <iterator>
#include <mutex>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>

#include <flotilla/base/json.hpp>
#include <flotilla/base/time.hpp>

namespace flotilla {
namespace {

std::string_view level_name(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return "debug";
    case LogLevel::info:
        return "info";
    case LogLevel::warning:
        return "warning";
    case LogLevel::error:
        return "error";
    }
    return "info";
}

/// Hands finished lines on; base_sink brings the lock.
class CallbackSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit CallbackSink(std::function<void(std::string_view)> callback) : callback_(std::move(callback)) {}

private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        callback_({message.payload.data(), message.payload.size()});
    }
    void flush_() override {}
    std::function<void(std::string_view)> callback_;
};

/// Writes a line with one write(2), so that lines of several processes on one pipe do not mix.
class StandardOutputSink final : public spdlog::sinks::base_sink<std::mutex> {
private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        std::string_view rest(message.payload.data(), message.payload.size());
        while (!rest.empty()) {
            const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
            if (written < 0 && errno == EINTR) continue;
            // Nobody reads (closed pipe, full disk): there is no other place to say so, and work goes on without logs.
            if (written <= 0) return;
            rest.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    void flush_() override {}
};

Timestamp system_time() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return Timestamp(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

void append_number(std::string& out, double value) {
    if (std::isfinite(value)) {
        fmt::format_to(std::back_inserter(out), "{}", value);
    } else {
        json::quote(out, fmt::format("{}", value)); // JSON has no literal for it
    }
}

struct JsonValue {
    std::string& out;
    void operator()(std::string_view text) const { json::quote(out, text); }
    void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
    void operator()(double number) const { append_number(out, number); }
    void operator()(bool flag) const { out += flag ? "true" : "false"; }
};

struct PrettyValue {
    std::string& out;
    void operator()(std::string_view text) const {
        const bool plain =
            !text.empty() && text.find_first_of(" \"=\\") == std::string_view::npos &&
            std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
        if (plain) {
            out += text;
        } else {
            json::quote(out, text);
        }
    }
    void operator()(std::int64_t number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
    void operator()(double number) const { fmt::format_to(std::back_inserter(out), "{}", number); }
    void operator()(bool flag) const { out += flag ? "true" : "false"; }
};

void append_member(std::string& out, std::string_view key, std::string_view text) {
    out += ',';
    json::quote(out, key);
    out += ':';
    json::quote(out, text);
}

/// The text without control characters: a message must not be able to fake another line or move the cursor.
void append_escaped(std::string& out, std::string_view text) {
    for (const unsigned char c : text) {
        if (c < 0x20 || c == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
        } else {
            out += static_cast<char>(c);
        }
    }
}

struct Line {
    Timestamp time;
    LogLevel level;
    std::string_view service;
    std::string_view message;
    const TraceContext* trace;
    std::span<const LogField> fields;

    bool traced() const { return trace != nullptr && trace->valid(); }
};

std::string to_json(const Line& line) {
    std::string out = "{\"time\":";
    json::quote(out, line.time.to_string());
    append_member(out, "level", level_name(line.level));
    append_member(out, "service", line.service);
    append_member(out, "message", line.message);
    if (line.traced()) {
        append_member(out, "trace_id", line.trace->trace_id_hex());
        append_member(out, "span_id", line.trace->span_id_hex());
    }
    for (const auto& field : line.fields) {
        out += ',';
        json::quote(out, field.key);
        out += ':';
        std::visit(JsonValue{out}, field.value);
    }
    out += "}\n";
    return out;
}

std::string_view colour(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return "\x1b[90m";
    case LogLevel::info:
        return "\x1b[32m";
    case LogLevel::warning:
        return "\x1b[33m";
    case LogLevel::error:
        return "\x1b[31m";
    }
    return "";
}

constexpr std::string_view kDim = "\x1b[90m";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr std::size_t kMessageColumns = 44;

/// "08:00:00.123 info    order-service        message   key=value trace_id=..."; fields start at the same column.
std::string to_pretty(const Line& line) {
    std::string out;
    const auto time = line.time.to_string();
    fmt::format_to(std::back_inserter(out), "{}{}{} {}{:<7}{} {:<20} ", kDim, std::string_view(time).substr(11, 12),
                   kPlain, colour(line.level), level_name(line.level), kPlain, line.service);
    const auto start = out.size();
    append_escaped(out, line.message);
    const auto columns = out.size() - start;
    if (line.fields.size() == 0 && !line.traced()) return out += '\n';
    if (columns < kMessageColumns) out.append(kMessageColumns - columns, ' ');
    for (const auto& field : line.fields) {
        fmt::format_to(std::back_inserter(out), " {}", kDim);
        append_escaped(out, field.key);
        fmt::format_to(std::back_inserter(out), "={}", kPlain);
        std::visit(PrettyValue{out}, field.value);
    }
    if (line.traced())
        fmt::format_to(std::back_inserter(out), " {}trace_id={}{}", kDim, line.trace->trace_id_hex(), kPlain);
    return out += '\n';
}

} // namespace

struct Logger::Impl {
    std::string service;
    LogLevel level;
    bool pretty;
    std::function<Timestamp()> clock;
    std::unique_ptr<spdlog::sinks::sink> sink;
};

Logger::Logger(std::string service, LogLevel level, Format format) : impl_(std::make_shared<Impl>()) {
    const bool pretty = format == Format::pretty || (format == Format::automatic && ::isatty(STDOUT_FILENO) == 1);
    *impl_ = {std::move(service), level, pretty, &system_time, std::make_unique<StandardOutputSink>()};
}

Logger::Logger(std::string service, LogLevel level, Format format, std::function<void(std::string_view line)> sink,
               std::function<Timestamp()> clock)
    : impl_(std::make_shared<Impl>()) {
    *impl_ = {std::move(service), level, format == Format::pretty, clock ? std::move(clock) : &system_time,
              std::make_unique<CallbackSink>(std::move(sink))};
}

bool Logger::enabled(LogLevel level) const { return level >= impl_->level; }

void Logger::write(LogLevel level, const TraceContext* trace, std::string_view message,
                   std::span<const LogField> fields) const {
    if (!enabled(level)) return;
    const Line line{impl_->clock(), level, impl_->service, message, trace, fields};
    const std::string text = impl_->pretty ? to_pretty(line) : to_json(line);
    impl_->sink->log(spdlog::details::log_msg(spdlog::string_view_t(), spdlog::level::info,
                                              spdlog::string_view_t(text.data(), text.size())));
}

} // namespace flotilla
