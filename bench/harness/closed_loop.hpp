#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::bench {

class ServerProcess;

/// How many bytes the first whole answer in `received` takes; 0: not whole yet.
/// Throws std::runtime_error for an answer that says the request failed: failures are never counted as work.
using AnswerLength = std::size_t (*)(std::string_view received);

/// HTTP/1.1 with Content-Length, whatever the status.
std::size_t http_message_length(std::string_view received);
/// HTTP/1.1 with Content-Length and a status of 2xx.
std::size_t http_answer_length(std::string_view received);
/// A RESP simple string, integer or bulk string.
std::size_t resp_answer_length(std::string_view received);
/// SMTP replies up to the 354 that lets the next message come.
std::size_t smtp_answer_length(std::string_view received);

/// In a request: replaced by a number of as many digits, another one in each request that is sent.
inline constexpr std::string_view kUnique = "############";

/// Load on one port: each connection stays open and has exactly one request under way.
struct Load {
    std::uint16_t port = 0;
    std::size_t connections = 64;
    std::string request;      ///< sent as it is, but for kUnique
    std::string opening = {}; ///< sent first on each connection, and answered as a request is
    AnswerLength answer_length = http_answer_length;
    std::chrono::duration<double> seconds{2}; ///< measured, after a tenth of it to get warm
    /// Counts what the requests leave to be done as well, until the servers are quiet: events, mails. Nobody gets warm.
    bool and_what_follows = false;
};

/// What a load has seen.
struct Measurement {
    double cpu_us = 0;     ///< CPU time of the server per request, user and system, all threads
    double per_second = 0; ///< requests
    double p50_us = 0, p99_us = 0;
};

/// Returns once all together need less than a twenty-fifth of a core. Throws std::runtime_error after two minutes.
void await_quiet(const std::vector<const ServerProcess*>& system);

/// Runs the load from this thread and measures the server. Throws std::runtime_error when the server refuses, answers
/// wrongly or closes a connection.
Measurement measure(const ServerProcess& server, const Load& load);
/// The same for a system of several processes, the first of which has the port: their CPU time together.
Measurement measure(const std::vector<const ServerProcess*>& system, const Load& load);

} // namespace flotilla::bench
