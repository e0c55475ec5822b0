#pragma once

#include <boost/json/fwd.hpp>

#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// An instance as Flotilla writes it where the form is its own: the cache file, etcd.
boost::json::object instance_json(const Instance& instance);
/// What instance_json() writes; members that an older version did not write may be absent. nullopt: it is none.
std::optional<Instance> read_instance(const std::string& service, const boost::json::value& value);

/// The parts that registries keep as texts beside what they know themselves (Consul's Meta, Eureka's metadata).
using Metadata = std::vector<std::pair<std::string_view, std::string>>;
Metadata metadata_of(const Instance& instance);
/// Takes them back. The weight is left alone when there is none.
void take_metadata(Instance& instance, const boost::json::object* metadata);

} // namespace flotilla
