#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <flotilla/contract/endpoint.hpp>

/// Three services in a row, of which each calls the next: what calls that survive failure are measured on. Each has one
/// endpoint for each kind of caller, so that its own figures tell them apart.
namespace hop {

using namespace flotilla;

struct Call {
    std::string id;
};
struct Answer {
    std::string id;
    int computed = 0;
};

struct Hop {
    Service service;
    Endpoint<Call, Answer> stack; ///< asked by the whole client stack: Calls
    Endpoint<Call, Answer> bare;  ///< by a pooled client that takes the instances in turn
    Endpoint<Call, Answer> envoy; ///< by the same through Envoy
};

consteval Hop hop_of(std::string_view name) {
    const Service service{name};
    return {service,
            {service, Method::get, "/stack/{id}"},
            {service, Method::get, "/bare/{id}"},
            {service, Method::get, "/envoy/{id}"}};
}

inline constexpr Hop last = hop_of("last-hop");
inline constexpr Hop middle = hop_of("middle-hop");
inline constexpr Hop front = hop_of("front-hop");

/// What the last one knows, where it works.
struct Caches {
    std::int64_t keys = 1;       ///< "0" and so on
    std::int64_t look_up_us = 1; ///< what one takes that is not known, four at a time
};
/// From now on all is known, or nothing.
inline constexpr Endpoint<Caches, Empty> fill_caches{last.service, Method::put, "/caches", {.success = 204}};
inline constexpr Endpoint<Empty, Empty> wipe_caches{last.service, Method::delete_, "/caches", {.success = 204}};

/// From the last to the first.
inline constexpr std::array<const Hop*, 3> all{&last, &middle, &front};

/// By its service's name; null: there is none.
constexpr const Hop* named(std::string_view name) {
    for (const auto* one : all) {
        if (one->service.name == name) return one;
    }
    return nullptr;
}
/// Whom it calls; null: nobody.
constexpr const Hop* next_of(const Hop& hop) { return &hop == &front ? &middle : &hop == &middle ? &last : nullptr; }

} // namespace hop
