#pragma once

#include <flotilla/contract/endpoint.hpp>
#include <flotilla/service/host.hpp>

namespace flotilla {

using Install = void (*)(Host&);

/// The whole main() of a service: reads flags and FLOTILLA_... variables, installs the service on each loop, serves
/// until SIGTERM or SIGINT, drains. Returns the exit code: 0 after a clean shutdown, 1 when it could not start or
/// serve, 2 for wrong flags.
int run(const Service& service, Install install, int argc, char** argv);

} // namespace flotilla
