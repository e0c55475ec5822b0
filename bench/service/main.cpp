#include <flotilla/service/run.hpp>

#include "bench/service/api/item.hpp"

namespace {

using namespace flotilla;

struct Items {
    task<Result<item::Item>> get(Context&, item::ItemId request) {
        co_return item::Item{
            .id = std::move(request.id), .name = "Mechanical keyboard", .quantity = 42, .in_stock = true};
    }
};

void install(Host& host) { host.serve(item::get, &Items::get, host.own<Items>()); }

} // namespace

int main(int argc, char** argv) { return run(item::service, install, argc, argv); }
