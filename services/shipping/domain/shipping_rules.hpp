#pragma once

#include "services/shipping/api/shipping.hpp"

namespace shipping {

inline constexpr std::size_t kItemsMax = 100;

/// The sandbox: an address in this country, which does not exist, finds the carrier away for the first so many tries of
/// an order, and is then served as the shop's own. Any country that is not in the tariff is refused for good.
inline constexpr std::string_view kCarrierAwayAtFirst = "XT";
inline constexpr std::int64_t kTriesCarrierIsAway = 2;

/// What shipping costs, by zone and weight, and how long it takes. Errors: no_items, address_not_served.
Result<Quote> price_of(const std::vector<Line>& items, const std::optional<Address>& address);

/// A shipment that has been scheduled now.
Shipment draft_shipment(const ScheduleShipment& request, const Quote& quote, Timestamp now);
/// What stands where nothing was scheduled and nothing may be any more.
Shipment never_scheduled(std::string order_id, Timestamp now);
/// Whether there is a stage behind this one.
bool moves_on(Status status);
/// The shipment at its next stage. Requires: moves_on().
Shipment advanced(Shipment shipment, Timestamp now);
/// The shipment cancelled; one that was cancelled stays as it is. Errors: already_dispatched.
Result<Shipment> cancelled_shipment(Shipment shipment, Timestamp now);

} // namespace shipping
