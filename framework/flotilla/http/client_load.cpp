#include <flotilla/http/client_load.hpp>

namespace flotilla::http {
namespace {

Gauge& connections(Metrics& metrics, std::string_view loop, std::string_view upstream, std::string_view state) {
    return metrics.gauge("http_client_open_connections", "Connections to an upstream.",
                         {{"loop", std::string(loop)},
                          {"upstream", std::string(upstream)},
                          {"http_connection_state", std::string(state)}});
}

} // namespace

ClientLoadGauges::ClientLoadGauges(Metrics& metrics, std::string_view loop, std::string_view upstream)
    : active_(connections(metrics, loop, upstream, "active")), idle_(connections(metrics, loop, upstream, "idle")),
      waiting_(metrics.gauge("http_client_waiting_requests", "Calls that wait for a connection to an upstream.",
                             {{"loop", std::string(loop)}, {"upstream", std::string(upstream)}})) {}

void ClientLoadGauges::set(const Client::Load& load) {
    active_.set(static_cast<std::int64_t>(load.active));
    idle_.set(static_cast<std::int64_t>(load.idle));
    waiting_.set(static_cast<std::int64_t>(load.waiting));
}

} // namespace flotilla::http
