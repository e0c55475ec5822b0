#pragma once

#include <csignal>
#include <fstream>
#include <iterator>

#include <boost/json.hpp>

#include "hub/testing/child_process.hpp"
#include "hub/testing/redis_client.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub {

/// The real flotilla-hub on free ports, with its data in a temporary folder. For tests.
class HubProcess {
public:
    HubProcess() { start(); }

    /// `file_blocks`: no file of it may grow beyond so many KiB, which is like a full disk; 0: no limit.
    explicit HubProcess(int file_blocks) { start(file_blocks); }

    void start(int file_blocks = 0) {
        std::filesystem::remove(folder_ / "ports.json"); // of an earlier start
        const std::string command = "exec " + program("flotilla-hub") + " --data " + folder_.path().string() +
                                    " --http-port 0 --redis-port 0 --smtp-port 0";
        const std::string limit = file_blocks ? "trap '' XFSZ; ulimit -f " + std::to_string(file_blocks) + "; " : "";
        process_ = std::make_unique<ChildProcess>(Words{"/bin/bash", "-c", limit + command});
        process_->wait_for_line("registry loaded");
        std::ifstream file(folder_ / "ports.json");
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        ports_ = boost::json::parse(text).as_object();
    }
    void kill() {
        process_->signal(SIGKILL);
        process_->wait();
    }
    /// Ends it cleanly: the exit code.
    int stop(int signal = SIGTERM) {
        process_->signal(signal);
        return process_->wait();
    }
    ChildProcess& process() { return *process_; }
    std::uint16_t port(std::string_view protocol) const { return ports_.at(protocol).to_number<std::uint16_t>(); }
    RedisClient redis() const { return RedisClient(port("redis")); }
    SocketClient smtp() const { return SocketClient::tcp(port("smtp")); }
    /// GET, DELETE ...: the body of the answer; `head` gets its status line and fields, each with its CRLF.
    std::string http(const std::string& request, std::string* head = nullptr) const {
        SocketClient client = SocketClient::tcp(port("http"));
        client.send(request + " HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n");
        const std::string answer = client.receive_all();
        if (head) *head = answer.substr(0, answer.find("\r\n\r\n") + 2);
        return answer.substr(answer.find("\r\n\r\n") + 4);
    }

private:
    TemporaryFolder folder_;
    std::unique_ptr<ChildProcess> process_;
    boost::json::object ports_;
};

} // namespace flotilla::hub
