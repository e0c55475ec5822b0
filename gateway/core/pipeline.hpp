#pragma once

#include <memory>
#include <optional>
#include <string>

#include <flotilla/http/exchange.hpp>
#include <flotilla/node/load_shedder.hpp>
#include <flotilla/node/own_pages.hpp>
#include <flotilla/observe/telemetry.hpp>

#include "gateway/core/composition.hpp"
#include "gateway/core/path.hpp"
#include "gateway/core/proxy.hpp"
#include "gateway/core/recorder.hpp"
#include "gateway/core/route_table.hpp"

namespace flotilla::gateway {

/// Everything that happens to a request, in one order: see pipeline.cpp. Thread-safety: none; one per loop.
class Pipeline {
public:
    Pipeline(World& world, std::shared_ptr<const RouteTable> routes, Proxy& proxy, Composer& composer,
             Recorder& recorder, OwnPages& own_pages, LoadShedder& shedder, Telemetry& telemetry);

    task<void> handle(Context& context, http::Exchange& exchange);

private:
    struct State {
        RequestFacts facts; ///< views into the request, or into the two members below
        std::optional<Uuid> new_id;
        Result<void> path_valid;
        OwnPage own = OwnPage::none;
        bool is_last = false; ///< Max-Forwards is used up
        std::string path_buffer;
        std::optional<std::size_t> target;
    };

    static void normalise(const http::Exchange& exchange, State& state);
    void identify(const http::Exchange& exchange, State& state);
    static Result<void> count_hops(const http::Exchange& exchange, State& state);
    Result<void> route(const http::Exchange& exchange, State& state);
    Result<void> admit(Context& context, http::Exchange& exchange, const State& state);
    task<Result<int>> act(Context& context, http::Exchange& exchange, const State& state);
    task<Result<int>> answer_options(Context& context, http::Exchange& exchange, const State& state);
    task<int> answer_error(Context& context, http::Exchange& exchange, const State& state, Error error);

    World& world_;
    std::shared_ptr<const RouteTable> routes_;
    Proxy& proxy_;
    Composer& composer_;
    Recorder& recorder_;
    OwnPages& own_pages_;
    LoadShedder& shedder_;
    const Logger& log_;
};

} // namespace flotilla::gateway
