#include "hub/consul/unserved.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace flotilla::hub::consul {
namespace {

constexpr std::string_view kAgent = "running a Consul agent";
constexpr std::string_view kCluster = "a cluster of Consul servers";
constexpr std::string_view kMesh = "Consul's service mesh";
constexpr std::string_view kPeering = "peering of Consul clusters";
constexpr std::string_view kInterface = "Consul's web interface";
constexpr std::string_view kCoordinates = "network coordinates";
constexpr std::string_view kEvents = "user events";
constexpr std::string_view kQueries = "prepared queries";

/// The paths of Consul 1.20 besides those of the routes. One that ends in '/' stands for all below it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 42> kPaths{{
    {"/v1/agent/host", kAgent},
    {"/v1/agent/reload", kAgent},
    {"/v1/agent/monitor", kAgent},
    {"/v1/agent/metrics", kAgent},
    {"/v1/agent/metrics/stream", kAgent},
    {"/v1/agent/join/", kCluster},
    {"/v1/agent/leave", kCluster},
    {"/v1/agent/force-leave/", kCluster},
    {"/v1/agent/connect/", kMesh},
    {"/v1/catalog/connect/", kMesh},
    {"/v1/catalog/gateway-services/", kMesh},
    {"/v1/health/connect/", kMesh},
    {"/v1/health/ingress/", kMesh},
    {"/v1/config", kMesh},
    {"/v1/config/", kMesh},
    {"/v1/connect/", kMesh},
    {"/v1/discovery-chain/", kMesh},
    {"/v1/exported-services", kPeering},
    {"/v1/imported-services", kPeering},
    {"/v1/peering/", kPeering},
    {"/v1/peerings", kPeering},
    {"/v1/coordinate/datacenters", kCoordinates},
    {"/v1/coordinate/nodes", kCoordinates},
    {"/v1/coordinate/node/", kCoordinates},
    {"/v1/coordinate/update", kCoordinates},
    {"/v1/event/fire/", kEvents},
    {"/v1/event/list", kEvents},
    {"/v1/query", kQueries},
    {"/v1/query/", kQueries},
    {"/v1/internal/acl/authorize", kAgent},
    {"/v1/internal/federation-states", kCluster},
    {"/v1/internal/federation-states/mesh-gateways", kMesh},
    {"/v1/internal/federation-state/", kCluster},
    {"/v1/internal/service-virtual-ip", kMesh},
    {"/v1/internal/ui/", kInterface},
    {"/v1/operator/raft/", kCluster},
    {"/v1/operator/autopilot/", kCluster},
    {"/v1/operator/keyring", kCluster},
    {"/v1/operator/usage", kCluster},
    {"/v1/operator/utilization", kCluster},
    {"/v1/snapshot", "snapshots of a Consul cluster"},
    {"/v1/agent/health/service/", "health in one word; ask /v1/health/service/ instead"},
}};

} // namespace

std::string_view unserved(std::string_view path) {
    const auto found = std::ranges::find_if(kPaths, [&](const auto& each) {
        return each.first.ends_with('/') ? path.starts_with(each.first) : path == each.first;
    });
    return found == kPaths.end() ? std::string_view() : found->second;
}

} // namespace flotilla::hub::consul
