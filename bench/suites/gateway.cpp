#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

#include "bench/harness/socket.hpp"
#include "bench/suites/competitor.hpp"

namespace flotilla::bench {
namespace {

using namespace std::chrono_literals;

constexpr double kTargetOfHaproxy = 1.0;
constexpr auto kReadyTimeout = 15s;

constexpr std::string_view kOurConfiguration = R"(
routes:
  - match:
      path: /answer
    to: bench-backend
access_log: {sample: 100}
)";

// Both peers: one thread, connections to the backend kept alive, forwarding headers, no access log.
constexpr std::string_view kHaproxyConfiguration = R"(
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option forwardfor
    http-reuse always
frontend bench
    bind 127.0.0.1:{port}
    http-request set-header X-Forwarded-Proto http
    default_backend backend
backend backend
    server backend 127.0.0.1:{backend}
)";

constexpr std::string_view kNginxConfiguration = R"(
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream backend {{
        server 127.0.0.1:{backend};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
)";

/// Asks until the answer is 200: a server that listens may not be ready yet.
void await_status(const ServerProcess& server, const std::function<int()>& ask) {
    const auto limit = std::chrono::steady_clock::now() + kReadyTimeout;
    while (true) {
        check_interrupted();
        const int status = ask();
        if (status == 200) return;
        if (std::chrono::steady_clock::now() > limit) {
            throw std::runtime_error(server.complaint(fmt::format("answers {}", status)));
        }
        std::this_thread::sleep_for(50ms);
    }
}

/// The backend, and the hub in which our gateway finds it: both beside the load.
struct Surroundings {
    std::uint16_t backend_port = free_port(), hub_port = free_port();
    ServerProcess backend, hub;

    Surroundings(const Setting& setting, const std::filesystem::path& folder)
        : backend({.arguments = {setting.programs / "bench-backend", std::to_string(backend_port)},
                   .folder = folder,
                   .name = "backend",
                   .core = kLoadCore}),
          hub({.arguments = {setting.programs / "flotilla-hub", "--data", folder / "hub", "--http-port",
                             std::to_string(hub_port), "--redis-port", "0", "--smtp-port", "0"},
               .folder = folder,
               .name = "hub",
               .core = kLoadCore}) {
        backend.await_port(backend_port);
        hub.await_port(hub_port);
        const auto registration = fmt::format(
            R"({{"ID":"bench-backend-1","Name":"bench-backend","Address":"127.0.0.1","Port":{}}})", backend_port);
        await_status(hub, [&] { return http_status(hub_port, "PUT", "/v1/agent/service/register", registration); });
    }
};

void await_answer(const Competitor& gateway) {
    await_status(*gateway.process, [&] { return http_status(gateway.port, "GET", "/answer"); });
}

Competitor our_gateway(const Setting& setting, const Surroundings& around, const std::filesystem::path& folder) {
    Competitor ours{.name = "flotilla", .port = free_port()};
    write_file(folder / "gateway.yaml", kOurConfiguration);
    start(ours,
          {setting.programs / "flotilla-gateway", "--config", folder / "gateway.yaml", "--port",
           std::to_string(ours.port), "--registry", fmt::format("consul://127.0.0.1:{}", around.hub_port), "--data",
           folder / "gateway", "--log-format", "json"},
          folder);
    await_answer(ours);
    return ours;
}

Competitor haproxy(const Surroundings& around, const std::filesystem::path& folder) {
    Competitor peer{.name = "haproxy", .port = free_port(), .target = kTargetOfHaproxy};
    const auto program = find_program("haproxy");
    if (!program) {
        note_skipped("haproxy", "not installed: apt-get install haproxy");
        return peer;
    }
    write_file(folder / "haproxy.cfg", fmt::format(kHaproxyConfiguration, fmt::arg("port", peer.port),
                                                   fmt::arg("backend", around.backend_port)));
    start(peer, {*program, "-db", "-f", folder / "haproxy.cfg"}, folder);
    await_answer(peer);
    return peer;
}

Competitor nginx(const Surroundings& around, const std::filesystem::path& folder) {
    Competitor peer{.name = "nginx", .port = free_port()};
    const auto program = find_program("nginx");
    if (!program) {
        note_skipped("nginx", "not installed: apt-get install nginx");
        return peer;
    }
    write_file(folder / "nginx.conf",
               fmt::format(kNginxConfiguration, fmt::arg("port", peer.port), fmt::arg("backend", around.backend_port),
                           fmt::arg("folder", folder.string())));
    start(peer, {*program, "-p", folder, "-c", folder / "nginx.conf"}, folder);
    await_answer(peer);
    return peer;
}

} // namespace

std::vector<Row> bench_gateway(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const Surroundings around(setting, folder.path());
    std::vector<Competitor> competitors;
    competitors.push_back(our_gateway(setting, around, folder.path()));
    competitors.push_back(haproxy(around, folder.path()));
    competitors.push_back(nginx(around, folder.path()));
    return compare_http("gateway", "/answer", competitors, setting);
}

} // namespace flotilla::bench
