#include <flotilla/service/run.hpp>

#include "bench/service/api/item.hpp"
#include "bench/service/computed.hpp"

namespace {

using namespace flotilla;

struct Items {
    task<Result<item::Item>> get(Context&, item::ItemId request) {
        co_return item::Item{
            .id = std::move(request.id), .name = "Mechanical keyboard", .quantity = 42, .in_stock = true};
    }
    task<Result<item::Item>> work(Context&, item::ItemId request) {
        co_return item::Item{
            .id = std::move(request.id), .name = "Computed", .quantity = bench::computed(), .in_stock = true};
    }
};

void install(Host& host) {
    auto& items = host.own<Items>();
    host.serve(item::get, &Items::get, items);
    host.serve(item::work, &Items::work, items);
}

} // namespace

int main(int argc, char** argv) { return run(item::service, install, argc, argv); }
