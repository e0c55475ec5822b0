#pragma once

#include <string>

#include <flotilla/base/constrained.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/service/host.hpp>

/// The smallest service: a contract and its wiring. A service that others call keeps its contract in api/.
namespace greeting {

struct Ask {
    flotilla::Text<1, 100> name;
};
struct Greeting {
    std::string text;
};

inline constexpr flotilla::Service service{"greeting-service"};
inline constexpr flotilla::Endpoint<Ask, Greeting> greet{service, flotilla::Method::get, "/greetings/{name}"};

void install(flotilla::Host& host);

} // namespace greeting
