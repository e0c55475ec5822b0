#pragma once

#include <flotilla/contract/contract.hpp>
#include <flotilla/service/host.hpp>

/// A trip is a flight and a hotel, or neither: the smallest service with a saga.
namespace trip {

using namespace flotilla;

struct BookTrip {
    std::string flight, hotel;
};
struct Trip {
    std::string id, flight, hotel;
    std::string status; ///< "pending", "booked" or "cancelled"
};
struct TripId {
    std::string id;
};

inline constexpr Service service{"trip-service"};
inline constexpr ErrorCode trip_not_found{"trip_not_found", Kind::not_found, "Trip not found"};
inline constexpr Endpoint<BookTrip, Trip> book{service, Method::post, "/trips", {.success = 201, .idempotent = true}};
inline constexpr Endpoint<TripId, Trip> get{service, Method::get, "/trips/{id}", {.errors = {trip_not_found}}};

// What others offer: api/ of theirs, in a fleet of more than one file.
struct Booking {
    std::string id; ///< the trip's
    std::string what;
};
struct BookingId {
    std::string id;
};
struct Booked {
    std::string reference;
};
inline constexpr Service flights{"flight-service"};
inline constexpr Endpoint<Booking, Booked> book_flight{flights, Method::put, "/seats/{id}"};
inline constexpr Endpoint<BookingId, Empty> cancel_flight{flights, Method::delete_, "/seats/{id}"};
inline constexpr Service hotels{"hotel-service"};
inline constexpr Endpoint<Booking, Booked> book_hotel{hotels, Method::put, "/rooms/{id}"};

void install(Host& host);

} // namespace trip
