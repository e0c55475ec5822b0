#include "examples/trip/trip.hpp"

#include <gtest/gtest.h>

#include <flotilla/testing/test_service.hpp>

namespace trip::trip_test {
namespace {

constexpr ErrorCode no_room{"no_room", Kind::conflict, "There is no room"};

std::string status_of(TestService& trips, const std::string& id) {
    return std::string(trips.get("/trips/" + id).json().at("status").as_string());
}

// Goal: a trip whose hotel has no room leaves no flight behind; one whose hotel has is booked.
TEST(Trip, FlightIsCancelledWhereTheHotelHasNoRoom) {
    std::atomic<int> seats = 0;
    TestService trips{install,
                      {.fakes = {fake(book_flight,
                                      [&seats](Booking) -> Result<Booked> {
                                          ++seats;
                                          return Booked{"12A"};
                                      }),
                                 fake(cancel_flight,
                                      [&seats](BookingId) -> Result<Empty> {
                                          --seats;
                                          return Empty{};
                                      }),
                                 fake(book_hotel, [](Booking booking) -> Result<Booked> {
                                     if (booking.what == "full") return no_room;
                                     return Booked{"room 1"};
                                 })}}};
    const auto full = trips.post("/trips", {{"flight", "LH 1"}, {"hotel", "full"}});
    ASSERT_EQ(full.status, 201) << full.body;
    const auto id = std::string(full.json().at("id").as_string());
    EXPECT_TRUE(eventually([&] { return status_of(trips, id) == "cancelled"; }));
    EXPECT_EQ(seats, 0);
    const auto fine =
        std::string(trips.post("/trips", {{"flight", "LH 1"}, {"hotel", "Ritz"}}).json().at("id").as_string());
    EXPECT_TRUE(eventually([&] { return status_of(trips, fine) == "booked"; }));
    EXPECT_EQ(seats, 1);
}

} // namespace
} // namespace trip::trip_test
