// A service of three in a row: `bench-hop last-hop|middle-hop|front-hop FLAG...`. The last one answers at once; the
// others ask the next one, in the same way in which they were asked.
#include <cstdio>
#include <string>
#include <vector>

#include <flotilla/service/run.hpp>

#include "bench/hop/api/hop.hpp"
#include "bench/hop/bare_client.hpp"

namespace {

using namespace flotilla;

struct Settings {
    std::string next;       ///< whom naive calls go to: "127.0.0.1:3001"
    std::int64_t tries = 4; ///< of each of those
};

/// What a hop does before it answers.
class Asking {
public:
    Asking(const hop::Hop* next, Calls* calls, World& world, const Settings& settings)
        : next_(next), calls_(calls), bare_(world, static_cast<int>(settings.tries)) {
        if (auto address = Address::parse(settings.next)) addresses_.push_back(std::move(*address));
    }

    task<Result<hop::Answer>> by_stack(Context& context, hop::Call request) {
        if (next_ == nullptr) co_return hop::Answer{std::move(request.id)};
        co_return co_await calls_->call(context, next_->stack, std::move(request));
    }
    task<Result<hop::Answer>> barely(Context& context, hop::Call request) {
        if (next_ != nullptr) co_await must(bare_.get(context, addresses_, "/bare/" + request.id));
        co_return hop::Answer{std::move(request.id)};
    }

private:
    const hop::Hop* next_; ///< null: this is the last one
    Calls* calls_;
    bench::BareClient bare_;
    std::vector<Address> addresses_;
};

const hop::Hop* own = nullptr; // install() is given nothing but the host

void install(Host& host) {
    const auto* next = hop::next_of(*own);
    auto* calls = next == nullptr ? nullptr : &host.calls({next->service});
    auto& asking = host.own<Asking>(next, calls, host.world(), host.settings<Settings>());
    host.serve(own->stack, &Asking::by_stack, asking);
    host.serve(own->bare, &Asking::barely, asking);
    host.serve(own->envoy, &Asking::barely, asking);
}

} // namespace

int main(int argc, char** argv) {
    own = argc > 1 ? hop::named(argv[1]) : nullptr;
    if (own == nullptr) {
        std::fprintf(stderr, "bench-hop: name one of last-hop, middle-hop, front-hop\n");
        return 2;
    }
    return run(own->service, install, argc - 1, argv + 1);
}
