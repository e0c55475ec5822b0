#pragma once

#include <map>

#include <boost/json/fwd.hpp>

#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// The JSON of Eureka's REST API.
/// Source: https://github.com/Netflix/eureka/wiki/Eureka-REST-operations

/// The body of POST /apps/APP.
std::string eureka_registration(const Instance& instance, Duration ttl);
/// As what a service is registered: in upper case.
std::string eureka_app(std::string_view service);

/// All that a server knows, kept up to date by its deltas.
class EurekaApps {
public:
    /// Takes GET /apps. Errors: bad_gateway with what was wrong.
    Result<void> take_all(std::string_view body);
    /// Takes GET /apps/delta. False: what is known has come apart from what the server knows; take all again.
    /// Errors: as take_all().
    Result<bool> take_delta(std::string_view body);

    /// Those that are UP, whatever their order.
    std::vector<Instance> instances_of(std::string_view service) const;
    /// How many there are of each status, as the server counts them: "DOWN_1_UP_3_".
    std::string hash_code() const;

private:
    struct Known {
        Instance instance;
        std::string status;
    };
    using App = std::map<std::string, Known, std::less<>>; ///< by instance id
    using Apps = std::map<std::string, App, std::less<>>;  ///< by name, in upper case

    static Result<void> apply(Apps& apps, const boost::json::object& applications, bool delta);

    Apps apps_;
};

} // namespace flotilla
