#include "examples/trip/trip.hpp"

#include <flotilla/saga/engine.hpp>

namespace trip {
namespace {

using saga::call, saga::step;

// --- The saga

struct Journey {
    std::string trip, flight, hotel;
    std::optional<std::string> seat; ///< known once it is booked
};

Booking flight_of(const Journey& journey) { return {journey.trip, journey.flight}; }
BookingId seat_of(const Journey& journey) { return {journey.trip}; }
Booking hotel_of(const Journey& journey) { return {journey.trip, journey.hotel}; }
void keep_seat(Journey& journey, const Booked& booked) { journey.seat = booked.reference; }

/// The hotel takes no cancellation: booking it is the point of no return.
const saga::Definition<Journey>& journey() {
    static const saga::Definition<Journey> definition{
        "journey",
        1,
        {step("flight", call(book_flight, &flight_of, &keep_seat)).undone_by(call(cancel_flight, &seat_of)),
         step("hotel", call(book_hotel, &hotel_of)).pivot()}};
    return definition;
}

// --- The service

std::string_view text_of(saga::Status status) {
    return status == saga::Status::completed ? "booked" : status == saga::Status::compensated ? "cancelled" : "pending";
}

class Trips {
public:
    Trips(Database& database, saga::Sagas<Journey>& journeys) : database_(database), journeys_(journeys) {}

    task<Result<Recorded<Trip>>> book(Context& context, BookTrip request) {
        co_return co_await database_.answer(context, [=, this](Transaction& tx) {
            const auto id = tx.new_id();
            journeys_.start(tx, id, {.trip = id, .flight = request.flight, .hotel = request.hotel});
            return Trip{id, request.flight, request.hotel, "pending"};
        });
    }

    task<Result<Trip>> get(Context& context, TripId request) {
        const auto saga = co_await must(journeys_.find(context, request.id), or_none(trip_not_found));
        const auto state = co_await must(journeys_.state(context, request.id), or_none(trip_not_found));
        co_return Trip{request.id, state.flight, state.hotel, std::string(text_of(saga.status))};
    }

private:
    Database& database_;
    saga::Sagas<Journey>& journeys_;
};

} // namespace

void install(Host& host) {
    auto& database = host.database({});
    auto& engine = host.own<saga::Engine>(host, database, host.calls({flights, hotels}));
    auto& journeys = engine.sagas<Journey>("journey").define(journey());
    auto& trips = host.own<Trips>(database, journeys);
    host.serve(book, &Trips::book, trips);
    host.serve(get, &Trips::get, trips);
}

} // namespace trip
