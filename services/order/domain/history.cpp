#include "services/order/domain/history.hpp"

namespace order::history {

void apply(Order& order, const Placed& event) {
    order = {.id = event.id,
             .user_id = event.user_id,
             .items = event.items,
             .total = event.total,
             .created_at = event.placed_at};
}

void apply(Order& order, const Advanced& event) {
    order.progress = event.progress;
    if (event.reason) order.reason = event.reason;
}

void apply(Order& order, const Confirmed&) {
    order.status = Status::confirmed;
    order.progress = Progress::confirmed;
}

void apply(Order& order, const Cancelled& event) {
    order.status = Status::cancelled;
    order.progress = Progress::cancelled;
    order.reason = event.reason;
}

} // namespace order::history
