#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/http/message.hpp>

namespace flotilla::hub {

/// Whom an HTTP port without authentication answers, since every page in a browser on its machine can reach it, also
/// where it listens on loopback only. Programs that are no browsers (curl, Consul clients, services, Prometheus) do not
/// notice it, as long as they call the hub by a name it answers to.
///
/// 1. The `Host` must be a name that no page of a stranger can have made to lead here (DNS rebinding): an IP address;
///    "localhost" and names below it; this machine's host name; the host it listens on; any name without a dot (a
///    container's or a neighbour's); those given as allowed. Where it listens beyond loopback also names that public
///    DNS does not serve: below .local, .internal, .test, .home.arpa. Requests without Host come from no browser.
/// 2. A request that changes something must not come from another site's page: `Sec-Fetch-Site` must be same-origin or
///    none, or, from browsers that do not send it, `Origin` must be that of the request. Where neither is sent it is no
///    browser. Reading is for the browser to prevent: no answer carries CORS fields.
///
/// Thread-safety: const after construction.
class BrowserGuard {
public:
    struct Options {
        std::string listen_host;                ///< what the port is bound to, as given
        bool loopback_only = true;              ///< nobody but this machine can connect
        std::string machine_name;               ///< gethostname()
        std::vector<std::string> allowed_hosts; ///< "hub.example.com"; ".example.com" means that and all names below
    };
    explicit BrowserGuard(Options options);

    /// Errors: forbidden, with code host_not_allowed or cross_site_request and words that say what to do.
    Result<void> check(const http::RequestHead& request) const;

private:
    bool answers_to(std::string_view host) const;

    bool loopback_only_;
    std::vector<std::string> names_; ///< lower case; with a dot in front: and all below
};

/// The host name of this machine; empty when it has none.
std::string machine_name();

} // namespace flotilla::hub
