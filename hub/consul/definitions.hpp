#pragma once

#include <boost/json.hpp>

#include <flotilla/base/result.hpp>

#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

struct ServiceRegistration {
    ServiceDefinition service;
    std::vector<CheckDefinition> checks;
};

/// The body of PUT /v1/agent/service/register. Errors: invalid, with Consul's text.
Result<ServiceRegistration> parse_service_registration(const boost::json::value& body);

/// The body of PUT /v1/agent/check/register. Errors: invalid, with Consul's text.
Result<CheckDefinition> parse_check_registration(const boost::json::value& body);

} // namespace flotilla::hub::consul
