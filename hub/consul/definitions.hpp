#pragma once

#include <boost/json.hpp>

#include <flotilla/base/result.hpp>

#include "hub/consul/model.hpp"

namespace flotilla::hub::consul {

class JsonFields;

struct ServiceRegistration {
    ServiceDefinition service;
    std::vector<CheckDefinition> checks;
};

/// The body of PUT /v1/agent/service/register. Errors: invalid, with Consul's text.
Result<ServiceRegistration> parse_service_registration(const boost::json::value& body);

/// The body of PUT /v1/agent/check/register. Errors: invalid, with Consul's text.
Result<CheckDefinition> parse_check_registration(const boost::json::value& body);

/// The member TaggedAddresses, which all ways to write a service share. A mistake is noted in `fields`.
void parse_tagged_addresses(JsonFields& fields, ServiceDefinition& service);

} // namespace flotilla::hub::consul
