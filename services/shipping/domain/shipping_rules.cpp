#include "services/shipping/domain/shipping_rules.hpp"

#include <algorithm>
#include <array>

namespace shipping {
namespace {

constexpr int kPieceGrams = 500; // of what does not say what it weighs

/// Countries that cost the same. The first zone is the shop's own.
struct Zone {
    std::string_view countries;
    Money base;     ///< with the first kilogram
    Money kilogram; ///< each further one that has begun
    int days;
};

constexpr std::array kZones{
    Zone{"DE XT", Money::from_cents(490), Money::from_cents(50), 2},
    Zone{"AT BE BG CH CY CZ DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK",
         Money::from_cents(990), Money::from_cents(120), 4},
    Zone{"AU BR CA CN IN JP KR MX NZ SG US ZA", Money::from_cents(2490), Money::from_cents(480), 10},
};

bool serves(const Zone& zone, std::string_view country) {
    const auto at = zone.countries.find(country);
    return at != std::string_view::npos && at % 3 == 0; // not a letter of each of two
}

std::int64_t grams_of(const std::vector<Line>& items) {
    std::int64_t grams = 0;
    for (const auto& line : items)
        grams += std::int64_t{line.quantity} * (line.weight_g ? static_cast<int>(*line.weight_g) : kPieceGrams);
    return grams;
}

void enter(Shipment& shipment, Status status, Timestamp now) {
    shipment.status = status;
    shipment.history.push_back({status, now});
}

} // namespace

Result<Quote> price_of(const std::vector<Line>& items, const std::optional<Address>& address) {
    if (items.empty() || items.size() > kItemsMax) return no_items;
    const auto* zone = kZones.begin();
    if (address)
        zone = std::ranges::find_if(kZones, [&](const Zone& each) { return serves(each, address->country.view()); });
    if (zone == kZones.end()) return address_not_served.with(address->country.view());
    const auto further_kilograms = (grams_of(items) - 1) / 1000;
    return Quote{zone->base + zone->kilogram * further_kilograms, zone->days};
}

Shipment draft_shipment(const ScheduleShipment& request, const Quote& quote, Timestamp now) {
    Shipment shipment{
        .order_id = request.order_id, .user_id = request.user_id, .price = quote.price, .days = quote.days};
    enter(shipment, Status::scheduled, now);
    return shipment;
}

Shipment never_scheduled(std::string order_id, Timestamp now) {
    Shipment shipment{.order_id = std::move(order_id)};
    enter(shipment, Status::cancelled, now);
    return shipment;
}

bool moves_on(Status status) { return status < Status::delivered; }

Shipment advanced(Shipment shipment, Timestamp now) {
    enter(shipment, static_cast<Status>(static_cast<int>(shipment.status) + 1), now);
    return shipment;
}

Result<Shipment> cancelled_shipment(Shipment shipment, Timestamp now) {
    if (shipment.status == Status::cancelled) return shipment;
    if (shipment.status != Status::scheduled) return already_dispatched;
    enter(shipment, Status::cancelled, now);
    return shipment;
}

} // namespace shipping
