#include <cstdint>

#include <flotilla/service/run.hpp>

#include "bench/service/api/item.hpp"

namespace {

using namespace flotilla;

struct Items {
    task<Result<item::Item>> get(Context&, item::ItemId request) {
        co_return item::Item{
            .id = std::move(request.id), .name = "Mechanical keyboard", .quantity = 42, .in_stock = true};
    }
    task<Result<item::Item>> work(Context&, item::ItemId request) {
        co_return item::Item{.id = std::move(request.id), .name = "Computed", .quantity = computed(), .in_stock = true};
    }

    /// A chain that no compiler shortens.
    static int computed() {
        std::uint64_t value = 88172645463325252ULL;
        for (int i = 0; i < kSteps; ++i) {
            value ^= value << 13;
            value ^= value >> 7;
            value ^= value << 17;
        }
        return static_cast<int>(value % 1000);
    }
    static constexpr int kSteps = 500'000;
};

void install(Host& host) {
    auto& items = host.own<Items>();
    host.serve(item::get, &Items::get, items);
    host.serve(item::work, &Items::work, items);
}

} // namespace

int main(int argc, char** argv) { return run(item::service, install, argc, argv); }
