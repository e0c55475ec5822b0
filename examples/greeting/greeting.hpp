#pragma once

#include <string>

#include <flotilla/base/constrained.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/service/host.hpp>

/// The smallest service: a contract and its wiring. A service that others call keeps its contract in api/.
namespace greeting {

using namespace flotilla;

struct Ask {
    Text<1, 100> name;
};
struct Greeting {
    std::string text;
};

inline constexpr Service service{"greeting-service"};
inline constexpr Endpoint<Ask, Greeting> greet{service, Method::get, "/greetings/{name}"};

void install(Host& host);

} // namespace greeting
