#include "bench/harness/open_loop.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <random>
#include <stdexcept>

#include "bench/harness/closed_loop.hpp"
#include "bench/harness/percentile.hpp"
#include "bench/harness/server_process.hpp"
#include "bench/harness/socket.hpp"

namespace flotilla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kConnectionsMax = 20'000;
constexpr auto kReportInterval = std::chrono::milliseconds(500);
constexpr std::string_view kVersion = "HTTP/1.1 ";

struct Connection {
    Socket socket;
    bool connected = false;
    bool busy = true;
    std::uint64_t request = 0; ///< a number of its own, for the clock of its patience
    std::size_t stream = 0;
    bool counts = false;
    Clock::time_point due{}; ///< when the request was to be sent
    std::string received = {};
};

class OpenLoop {
public:
    explicit OpenLoop(const OpenLoad& load)
        : load_(load), epoll_(::epoll_create1(EPOLL_CLOEXEC)), random_(load.seed), gap_(load.per_second) {
        outcome_.streams.resize(load.streams.size());
        std::vector<double> shares;
        for (const auto& stream : load.streams)
            shares.push_back(stream.share);
        which_ = std::discrete_distribution<std::size_t>(shares.begin(), shares.end());
    }

    OpenOutcome run() {
        const auto begin = Clock::now();
        measure_from_ = begin + in_ticks(load_.warm_up);
        const auto end = measure_from_ + in_ticks(load_.seconds);
        auto next = begin;
        auto report_at = measure_from_;
        // The last are waited for as long as their clients wait.
        for (auto now = begin; now < end || !waiting_.empty(); now = Clock::now()) {
            for (; next < end && next <= now; next += in_ticks(std::chrono::duration<double>(gap_(random_))))
                send_at(next);
            give_up(now);
            receive_all();
            check_interrupted();
            if (load_.report && now >= report_at) {
                report(now);
                report_at += kReportInterval;
            }
        }
        auto latencies = all_latencies();
        if (latencies.empty() && !load_.counts_failures) throw std::runtime_error("nothing was served");
        outcome_.served_per_second = static_cast<double>(latencies.size()) / load_.seconds.count();
        outcome_.p50_us = percentile(latencies, 0.5);
        outcome_.p99_us = percentile(latencies, 0.99);
        return std::move(outcome_);
    }

private:
    static Clock::duration in_ticks(std::chrono::duration<double> time) {
        return std::chrono::duration_cast<Clock::duration>(time);
    }

    void send_at(Clock::time_point due) {
        const std::size_t at = take_connection();
        auto& connection = *connections_[at];
        connection.busy = true;
        connection.request = ++requests_;
        connection.stream = which_(random_);
        connection.counts = due >= measure_from_;
        connection.due = due;
        connection.received.clear();
        if (connection.counts) ++outcome_.streams[connection.stream].sent;
        waiting_.push_back({due + in_ticks(load_.patience), at, connection.request});
        if (connection.connected) send(connection);
    }

    void send(Connection& connection) {
        const auto request = load_.streams[connection.stream].request();
        const auto sent = ::send(connection.socket.descriptor(), request.data(), request.size(), MSG_NOSIGNAL);
        // A connection that has broken says so when it is read.
        if (sent >= 0 && sent != static_cast<ssize_t>(request.size()))
            throw std::runtime_error("a request was not taken");
    }

    std::size_t take_connection() {
        if (!idle_.empty()) {
            const auto at = idle_.back();
            idle_.pop_back();
            return at;
        }
        std::size_t at = connections_.size();
        if (!closed_.empty()) {
            at = closed_.back();
            closed_.pop_back();
        } else if (at == kConnectionsMax) {
            throw std::runtime_error("too many connections");
        } else {
            connections_.emplace_back();
        }
        open(at);
        return at;
    }

    void open(std::size_t at) {
        Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const int yes = 1;
        ::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        const sockaddr_in address = loopback(load_.port);
        const auto* to = reinterpret_cast<const sockaddr*>(&address);
        const bool failed = ::connect(socket.descriptor(), to, sizeof address) != 0 && errno != EINPROGRESS;
        if (failed && !load_.counts_failures) throw std::runtime_error("a connection was refused");
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = at}};
        if (::epoll_ctl(epoll_.descriptor(), EPOLL_CTL_ADD, socket.descriptor(), &event) != 0)
            throw std::runtime_error("epoll_ctl failed");
        connections_[at] = std::make_unique<Connection>(Connection{.socket = std::move(socket)});
    }

    void close(std::size_t at) {
        connections_[at].reset();
        closed_.push_back(at);
    }

    void give_up(Clock::time_point now) {
        while (!waiting_.empty()) {
            const auto& first = waiting_.front();
            const auto* connection = connections_[first.at].get();
            const bool done = connection == nullptr || !connection->busy || connection->request != first.request;
            if (!done && first.until > now) return;
            if (!done) close(first.at);
            waiting_.pop_front();
        }
    }

    void receive_all() {
        const int ready = ::epoll_wait(epoll_.descriptor(), events_.data(), static_cast<int>(events_.size()), 0);
        for (int i = 0; i < ready; ++i) {
            const auto& event = events_[static_cast<std::size_t>(i)];
            const auto at = static_cast<std::size_t>(event.data.u64);
            if (connections_[at] == nullptr) continue; // given up
            if (!connections_[at]->connected && (event.events & EPOLLOUT) != 0) {
                connections_[at]->connected = true;
                send(*connections_[at]);
            }
            if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(at);
        }
    }

    void receive(std::size_t at) {
        auto& connection = *connections_[at];
        while (true) {
            const auto size = ::recv(connection.socket.descriptor(), buffer_.data(), buffer_.size(), 0);
            if (size < 0 && errno == EAGAIN) return;
            if (size <= 0) {
                if (connection.busy)
                    failed(connection, connection.connected ? "connection closed" : "no connection");
                else
                    std::erase(idle_, at);
                return close(at);
            }
            connection.received.append(buffer_.data(), static_cast<std::size_t>(size));
            const auto length = http_message_length(connection.received);
            if (length != 0 && length == connection.received.size()) answered(at, connection);
        }
    }

    void answered(std::size_t at, Connection& connection) {
        auto& stream = outcome_.streams[connection.stream];
        const std::string_view answer = connection.received;
        if (answer.starts_with("HTTP/1.1 2")) {
            if (connection.counts) {
                ++stream.served;
                const std::chrono::duration<float, std::micro> latency = Clock::now() - connection.due;
                stream.latencies_us.push_back(latency.count());
            }
        } else if (answer.starts_with("HTTP/1.1 503 ")) {
            if (connection.counts) ++stream.refused;
        } else {
            failed(connection, answer.substr(0, answer.find("\r\n")).substr(kVersion.size()));
        }
        connection.busy = false;
        connection.received.clear();
        idle_.push_back(at);
    }

    void failed(const Connection& connection, std::string_view what) {
        if (!load_.counts_failures)
            throw std::runtime_error(std::string(what) + ", as the answer to a request: " + connection.received);
        if (connection.counts) ++outcome_.streams[connection.stream].failures[std::string(what)];
    }

    std::vector<float> all_latencies() const {
        std::vector<float> all;
        for (const auto& stream : outcome_.streams)
            all.insert(all.end(), stream.latencies_us.begin(), stream.latencies_us.end());
        return all;
    }

    void report(Clock::time_point now) const {
        OpenProgress progress{.passed = std::min<std::chrono::duration<double>>(now - measure_from_, load_.seconds)};
        for (const auto& stream : outcome_.streams) {
            progress.sent += stream.sent;
            progress.served += stream.served;
            progress.failed += stream.refused + stream.failed();
        }
        auto latencies = all_latencies();
        progress.p50_us = percentile(latencies, 0.5);
        progress.p99_us = percentile(latencies, 0.99);
        load_.report(progress);
    }

    struct Patience {
        Clock::time_point until;
        std::size_t at;
        std::uint64_t request;
    };

    const OpenLoad& load_;
    Socket epoll_;
    std::mt19937_64 random_;
    std::exponential_distribution<double> gap_;
    std::discrete_distribution<std::size_t> which_;
    Clock::time_point measure_from_{};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::size_t> idle_, closed_;
    std::deque<Patience> waiting_;
    std::uint64_t requests_ = 0;
    OpenOutcome outcome_;
    std::array<epoll_event, 512> events_{};
    std::array<char, 16 * 1024> buffer_{};
};

} // namespace

std::uint64_t StreamOutcome::failed() const {
    std::uint64_t sum = 0;
    for (const auto& [what, times] : failures)
        sum += times;
    return sum;
}

OpenOutcome run_open_loop(const OpenLoad& load) { return OpenLoop(load).run(); }

} // namespace flotilla::bench
