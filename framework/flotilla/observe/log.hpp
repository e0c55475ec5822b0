#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include <flotilla/aio/context.hpp>

namespace flotilla {

enum class LogLevel : unsigned char { debug, info, warning, error };

/// One attribute of a log line.
struct LogField {
    std::string_view key;
    std::variant<std::string_view, std::int64_t, double, bool> value;

    LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
    LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
    LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
    LogField(std::string_view k, bool v) : key(k), value(v) {}
    LogField(std::string_view k, double v) : key(k), value(v) {}
    template <std::integral I>
    LogField(std::string_view k, I v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

/// Writes log lines: JSON on stdout, or aligned and coloured text on a terminal. Keys: time, level, service,
/// message, trace_id, span_id, then the fields. Control characters are escaped: one event is one line.
/// Thread-safe. Copyable handle; the sink lives as long as its last handle.
class Logger {
public:
    enum class Format : unsigned char { automatic, json, pretty };
    /// automatic: pretty on a terminal, JSON otherwise.
    explicit Logger(std::string service, LogLevel level = LogLevel::info, Format format = Format::automatic);
    /// Lines go to `sink` instead of stdout (tests, simulation). The sink is called under a lock. Without a clock the
    /// system's is read; `clock` must be thread-safe.
    Logger(std::string service, LogLevel level, Format format, std::function<void(std::string_view line)> sink,
           std::function<Timestamp()> clock = {});

    bool enabled(LogLevel level) const;
    void write(LogLevel level, const TraceContext* trace, std::string_view message,
               std::initializer_list<LogField> fields) const {
        write(level, trace, message, std::span(fields.begin(), fields.size()));
    }
    void write(LogLevel level, const TraceContext* trace, std::string_view message,
               std::span<const LogField> fields) const;

    void debug(const Context& context, std::string_view message, std::initializer_list<LogField> fields = {}) const {
        if (enabled(LogLevel::debug)) write(LogLevel::debug, &context.trace, message, fields);
    }
    void info(const Context& context, std::string_view message, std::initializer_list<LogField> fields = {}) const {
        if (enabled(LogLevel::info)) write(LogLevel::info, &context.trace, message, fields);
    }
    void warning(const Context& context, std::string_view message, std::initializer_list<LogField> fields = {}) const {
        if (enabled(LogLevel::warning)) write(LogLevel::warning, &context.trace, message, fields);
    }
    void error(const Context& context, std::string_view message, std::initializer_list<LogField> fields = {}) const {
        if (enabled(LogLevel::error)) write(LogLevel::error, &context.trace, message, fields);
    }
    /// Without a trace: start-up, shutdown, background threads.
    void info(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::info, nullptr, message, fields);
    }
    void warning(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::warning, nullptr, message, fields);
    }
    void error(std::string_view message, std::initializer_list<LogField> fields = {}) const {
        write(LogLevel::error, nullptr, message, fields);
    }

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace flotilla
