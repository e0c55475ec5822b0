#pragma once

#include <map>

#include <boost/json/fwd.hpp>

#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// The EndpointSlices of one Kubernetes service, as the API server tells them.
/// Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
class EndpointSlices {
public:
    /// service: what the instances are of. port: the name of the port to use; empty: the only one, or that called
    /// "http".
    EndpointSlices(std::string service, std::string port) : service_(std::move(service)), port_(std::move(port)) {}

    /// What a line of a watch came to.
    enum class News : unsigned char {
        none,
        changed,
        expired, ///< what was asked for is no longer kept (410): list again
    };

    /// Takes the answer to a list. Errors: bad_gateway with what was wrong.
    Result<void> take_list(std::string_view body);
    /// Takes one event of a watch. Errors: as take_list(); unavailable with what the server says has failed.
    Result<News> take_event(std::string_view line);

    /// Where a watch is to go on.
    const std::string& resource_version() const { return resource_version_; }
    /// The ready endpoints; while there is none, those that still serve while they end, as kube-proxy has it.
    std::vector<Instance> instances() const;

private:
    struct Endpoint {
        Instance instance;
        bool ready = true;
        bool serving = true;
    };
    using Slice = std::vector<Endpoint>;
    using Slices = std::map<std::string, Slice, std::less<>>; ///< by name

    Result<std::uint16_t> read_port(const boost::json::object& slice) const;
    Result<Slice> read_slice(const boost::json::object& slice) const;
    Endpoint read_endpoint(const boost::json::object& endpoint, std::string host, std::uint16_t port) const;
    Result<void> take_slice(Slices& into, const boost::json::object* slice) const;
    std::vector<Instance> instances_that(bool Endpoint::* are) const;

    std::string service_;
    std::string port_;
    Slices slices_;
    std::string resource_version_;
};

} // namespace flotilla
