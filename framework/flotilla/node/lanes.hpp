#pragma once

#include <functional>
#include <memory>

#include <flotilla/aio/world.hpp>
#include <flotilla/node/options.hpp>
#include <flotilla/observe/telemetry.hpp>

namespace flotilla {

/// What one loop of a program runs, once it is prepared: nothing can keep it from serving any more.
class Runnable {
public:
    virtual ~Runnable() = default;
    /// Where it listens.
    virtual const Address& address() const = 0;
    /// Serves until `stop` is cancelled, then drains. Calls `withdrawn` as NodeEvents do.
    virtual task<Result<void>> run(Context& stop, std::function<void()> withdrawn) = 0;
};

/// Prepares what one loop runs. Called on the loop: its world, the options with the port that the first loop was given,
/// which loop it is. The context ends with the program. Errors and exceptions keep the program from starting.
using Prepare = std::function<task<Result<std::unique_ptr<Runnable>>>(Context&, World&, NodeOptions, Lane)>;

/// A program of options.loops event loops, each with a thread; the first is the caller's. Makes the data folder, and
/// prepares all loops before the first of them serves. SIGTERM and SIGINT end the program: the first loop withdraws it,
/// the others go on until then. A loop that ends early ends all.
/// Returns the exit code: 0 after a clean end, 1 when it could not start or serve, which the log says.
int run_lanes(Telemetry& telemetry, NodeOptions options, const Prepare& prepare);

} // namespace flotilla
