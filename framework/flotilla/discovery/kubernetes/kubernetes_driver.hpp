#pragma once

#include <flotilla/discovery/registry_driver.hpp>
#include <flotilla/discovery/registry_http.hpp>

namespace flotilla {

/// Kubernetes' API: lists the EndpointSlices of a service, then watches them from there. Announces nothing: the kubelet
/// does, by the readiness probe. A watch lives for 30 s and is then taken up again where it was.
/// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
class KubernetesDriver final : public RegistryDriver {
public:
    /// kubernetes+http://HOST[:PORT]/[NAMESPACE][?port=NAME&token_file=PATH]: what `kubectl proxy` serves, at 8001
    /// unless said. Errors: invalid.
    static Result<std::unique_ptr<RegistryDriver>> open(const DriverSetup& setup);
    /// kubernetes://: refused, in words, as long as calls know no TLS.
    static Result<std::unique_ptr<RegistryDriver>> refuse_tls(const DriverSetup& setup);

    task<Result<void>> follow(Context& context, WatchedService& service) override;

private:
    struct Followed;
    struct Options {
        std::string name_space;
        std::string port;
        std::string token_file; ///< empty: no token is sent
    };

    KubernetesDriver(World& world, RegistryHttp server, Options options)
        : world_(world), server_(std::move(server)), options_(std::move(options)) {}
    task<Result<void>> renew_token(Context& context);
    task<Result<void>> list(Context& context, WatchedService& service, Followed& followed);
    task<Result<void>> watch(Context& context, WatchedService& service, Followed& followed);

    World& world_;
    RegistryHttp server_;
    Options options_;
};

} // namespace flotilla
