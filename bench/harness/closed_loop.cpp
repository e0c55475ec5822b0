#include "bench/harness/closed_loop.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/harness/percentile.hpp"
#include "bench/harness/server_process.hpp"
#include "bench/harness/socket.hpp"

namespace flotilla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kWarmUpShare = 0.1;
constexpr auto kSilenceMax = std::chrono::seconds(10);
constexpr int kPollMilliseconds = 200;
constexpr auto kQuietInterval = std::chrono::milliseconds(500);
constexpr auto kQuietMax = std::chrono::minutes(2);

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data()) throw std::runtime_error("not a number: " + std::string(text));
    return value;
}

/// The value of Content-Length in a head.
std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "\r\ncontent-length:";
    const auto same = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a + ('a' - 'A') == b); };
    const auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
    if (found == head.end()) throw std::runtime_error("an answer without Content-Length: " + std::string(head));
    auto value = head.substr(static_cast<std::size_t>(found - head.begin()) + kName.size());
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    return number(value);
}

/// Numbers that no earlier load has sent: it may have met the same data.
std::uint64_t first_unique() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count()) %
           1'000'000'000'000U;
}

struct Connection {
    Socket socket;
    Clock::time_point sent_at{};
    std::string received = {};
};

std::chrono::nanoseconds cpu_time_of(const std::vector<const ServerProcess*>& system) {
    std::chrono::nanoseconds sum{};
    for (const auto* process : system)
        sum += process->cpu_time();
    return sum;
}

class ClosedLoop {
public:
    ClosedLoop(const std::vector<const ServerProcess*>& system, const Load& load)
        : system_(system), server_(*system.front()), load_(load), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        for (auto at = load.request.find(kUnique); at != std::string::npos; at = load.request.find(kUnique, at + 1))
            unique_at_.push_back(at);
        request_ = load.request;
        connections_.reserve(load.connections);
        while (connections_.size() < load.connections)
            open();
    }

    Measurement run() {
        for (auto& connection : connections_)
            send(connection);
        if (!load_.and_what_follows) { // which cannot be told from what a warm-up leaves to be done
            run_for(load_.seconds * kWarmUpShare);
            latencies_us_.clear();
        }
        const auto cpu = cpu_time_of(system_);
        const auto seconds = run_for(load_.seconds);
        if (load_.and_what_follows) {
            connections_.clear();
            await_quiet(system_);
        }
        const auto spent = cpu_time_of(system_) - cpu;
        if (latencies_us_.empty()) throw std::runtime_error(server_.complaint("answered nothing"));
        const auto requests = static_cast<double>(latencies_us_.size());
        return {.cpu_us = std::chrono::duration<double, std::micro>(spent).count() / requests,
                .per_second = requests / seconds.count(),
                .p50_us = percentile(latencies_us_, 0.5),
                .p99_us = percentile(latencies_us_, 0.99)};
    }

private:
    void open() {
        auto socket = Socket::connect(load_.port);
        if (!socket) throw std::runtime_error(server_.complaint("refused a connection"));
        if (!load_.opening.empty()) converse(*socket);
        ::fcntl(socket->descriptor(), F_SETFL, O_NONBLOCK);
        epoll_event event{.events = EPOLLIN, .data = {.u64 = connections_.size()}};
        if (::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_ADD, socket->descriptor(), &event) != 0) {
            throw std::runtime_error("epoll_ctl failed");
        }
        connections_.push_back({.socket = std::move(*socket)});
    }

    /// What has to be said before the first request, on a socket that blocks.
    void converse(const Socket& socket) {
        std::string received;
        ::send(socket.descriptor(), load_.opening.data(), load_.opening.size(), MSG_NOSIGNAL);
        while (load_.answer_length(received) == 0) {
            const auto size = ::recv(socket.descriptor(), buffer_.data(), buffer_.size(), 0);
            if (size <= 0) throw std::runtime_error(server_.complaint("closed a connection"));
            received.append(buffer_.data(), static_cast<std::size_t>(size));
        }
    }

    const std::string& next_request() {
        if (unique_at_.empty()) return request_;
        auto digits = std::to_string(next_unique_++);
        digits.insert(0, kUnique.size() - digits.size(), '0');
        for (const auto at : unique_at_)
            request_.replace(at, kUnique.size(), digits);
        return request_;
    }

    /// A closed loop never fills the socket's buffer: a request is written whole or something is wrong.
    void send(Connection& connection) {
        const auto& request = next_request();
        connection.sent_at = Clock::now();
        const auto sent = ::send(connection.socket.descriptor(), request.data(), request.size(), MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(request.size())) {
            throw std::runtime_error(server_.complaint("took no request"));
        }
    }

    void receive(Connection& connection) {
        const auto size = ::recv(connection.socket.descriptor(), buffer_.data(), buffer_.size(), 0);
        if (size < 0 && errno == EAGAIN) return;
        if (size <= 0) throw std::runtime_error(server_.complaint("closed a connection"));
        std::string_view received(buffer_.data(), static_cast<std::size_t>(size));
        if (!connection.received.empty()) {
            connection.received += received;
            received = connection.received;
        }
        const auto length = load_.answer_length(received);
        if (length == 0) {
            if (connection.received.empty()) connection.received = received;
            return;
        }
        if (length != received.size()) throw std::runtime_error(server_.complaint("answered more than was asked"));
        connection.received.clear();
        const std::chrono::duration<float, std::micro> latency = Clock::now() - connection.sent_at;
        latencies_us_.push_back(latency.count());
        send(connection);
    }

    /// Returns how long it really was.
    std::chrono::duration<double> run_for(std::chrono::duration<double> seconds) {
        const auto begin = Clock::now();
        const auto end = begin + std::chrono::duration_cast<Clock::duration>(seconds);
        auto now = begin;
        auto last_answer = begin;
        while (now < end) {
            const int ready =
                ::epoll_wait(epoll_.descriptor(), events_.data(), static_cast<int>(events_.size()), kPollMilliseconds);
            for (int i = 0; i < ready; ++i)
                receive(connections_[events_[static_cast<std::size_t>(i)].data.u64]);
            check_interrupted();
            now = Clock::now();
            if (ready > 0) last_answer = now;
            if (now - last_answer > kSilenceMax) throw std::runtime_error(server_.complaint("stopped answering"));
        }
        return now - begin;
    }

    const std::vector<const ServerProcess*>& system_;
    const ServerProcess& server_; // the one that is asked
    const Load& load_;
    std::string request_;
    std::vector<std::size_t> unique_at_;
    std::uint64_t next_unique_ = first_unique();
    Socket epoll_;
    std::vector<Connection> connections_;
    std::vector<float> latencies_us_;
    std::array<epoll_event, 512> events_{};
    std::array<char, 16 * 1024> buffer_{};
};

} // namespace

std::size_t http_answer_length(std::string_view received) {
    const auto length = http_message_length(received);
    const bool told = received.contains("\r\n\r\n");
    if (told && !received.starts_with("HTTP/1.1 2")) throw std::runtime_error("answered: " + std::string(received));
    return length;
}

std::size_t http_message_length(std::string_view received) {
    const auto end = received.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    const auto length = end + 4 + content_length(received.substr(0, end + 2));
    return received.size() < length ? 0 : length;
}

std::size_t resp_answer_length(std::string_view received) {
    const auto line = received.find("\r\n");
    if (line == std::string_view::npos) return 0;
    if (received.front() == '+' || received.front() == ':') return line + 2;
    if (received.front() != '$') throw std::runtime_error("answered: " + std::string(received.substr(0, line)));
    const auto length = line + 2 + number(received.substr(1, line - 1)) + 2;
    return received.size() < length ? 0 : length;
}

std::size_t smtp_answer_length(std::string_view received) {
    for (std::size_t line = 0; line < received.size();) {
        const auto end = received.find("\r\n", line);
        if (end == std::string_view::npos) return 0;
        const auto reply = received.substr(line, end - line);
        if (reply.starts_with("354")) return end + 2;
        if (!reply.starts_with('2')) throw std::runtime_error("answered: " + std::string(reply));
        line = end + 2;
    }
    return 0;
}

void await_quiet(const std::vector<const ServerProcess*>& system) {
    const auto limit = Clock::now() + kQuietMax;
    for (auto before = cpu_time_of(system);;) {
        std::this_thread::sleep_for(kQuietInterval);
        check_interrupted();
        const auto now = cpu_time_of(system);
        if (now - before < kQuietInterval / 25) return; // eleven programs that wait need half of that
        if (Clock::now() > limit) throw std::runtime_error(system.front()->complaint("is never quiet"));
        before = now;
    }
}

Measurement measure(const ServerProcess& server, const Load& load) {
    return measure(std::vector<const ServerProcess*>{&server}, load);
}

Measurement measure(const std::vector<const ServerProcess*>& system, const Load& load) {
    return ClosedLoop(system, load).run();
}

} // namespace flotilla::bench
