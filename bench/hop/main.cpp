// A service of three in a row: `bench-hop last-hop|middle-hop|front-hop FLAG...`. The last one answers at once, or does
// what CachedWork does; the others ask the next one, in the same way in which they were asked.
#include <cstdio>
#include <string>
#include <vector>

#include <flotilla/service/run.hpp>

#include "bench/hop/api/hop.hpp"
#include "bench/hop/bare_client.hpp"
#include "bench/hop/cached_work.hpp"

namespace {

using namespace flotilla;

struct Settings {
    std::string next;        ///< whom naive calls go to: "127.0.0.1:3001"
    std::int64_t tries = 4;  ///< of each of those
    std::int64_t try_ms = 0; ///< how long each of these may take; 0: as long as the request
    std::int64_t works = 0;  ///< 1: the last one does CachedWork
};

/// What a hop does that only asks, or answers at once.
class Asking {
public:
    Asking(const hop::Hop* next, Calls* calls, World& world, const Settings& settings)
        : next_(next), calls_(calls),
          bare_(world, static_cast<int>(settings.tries),
                settings.try_ms == 0 ? Duration::max() : std::chrono::milliseconds(settings.try_ms)) {
        if (auto address = Address::parse(settings.next)) addresses_.push_back(std::move(*address));
    }

    task<Result<hop::Answer>> by_stack(Context& context, hop::Call request) {
        if (next_ == nullptr) co_return hop::Answer{.id = std::move(request.id)};
        co_return co_await calls_->call(context, next_->stack, std::move(request));
    }
    task<Result<hop::Answer>> barely(Context& context, hop::Call request) {
        if (next_ != nullptr) co_await must(bare_.get(context, addresses_, "/bare/" + request.id));
        co_return hop::Answer{.id = std::move(request.id)};
    }

private:
    const hop::Hop* next_; ///< null: this is the last one
    Calls* calls_;
    bench::BareClient bare_;
    std::vector<Address> addresses_;
};

const hop::Hop* own = nullptr; // install() is given nothing but the host

template <class Part>
void serve_by(Host& host, Part& part) {
    host.serve(own->stack, &Part::by_stack, part);
    host.serve(own->bare, &Part::barely, part);
    host.serve(own->envoy, &Part::barely, part);
}

void install(Host& host) {
    const auto settings = host.settings<Settings>();
    if (own == &hop::last && settings.works != 0) {
        auto& work = host.own<bench::CachedWork>(host.world());
        host.serve(hop::fill_caches, &bench::CachedWork::fill, work);
        host.serve(hop::wipe_caches, &bench::CachedWork::wipe, work);
        return serve_by(host, work);
    }
    const auto* next = hop::next_of(*own);
    auto* calls = next == nullptr ? nullptr : &host.calls({next->service});
    serve_by(host, host.own<Asking>(next, calls, host.world(), settings));
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
