#pragma once

#include <functional>
#include <string>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla {

/// One piece of the work that a node does beside its requests: the registry client, the outbox relay, a saga.
/// Without it a program would look alive and fail its purpose, so a part that ends with an exception ends the node.
struct Part {
    /// Short: "outbox". Names its check in /readyz, and the part in the log.
    std::string name;
    /// Works until its context is cancelled. It may return before, when there is nothing to be done.
    std::function<task<void>(Context&)> run;
    /// ok, or what is wrong: /readyz shows it. Empty: there is nothing to tell.
    std::function<Result<void>()> check = {};
    /// Without it the instance is not ready at all; otherwise it serves on, degraded.
    bool required = false;
    /// Ends as soon as the end is asked for, before requests in flight are waited for: those that wait for this part,
    /// as blocking queries do, are answered then. Other parts last until the last request is answered.
    bool ends_first = false;
};

} // namespace flotilla
