#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include <flotilla/base/json.hpp>
#include <flotilla/bus/publisher.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/saga/message.hpp>
#include <flotilla/store/transaction.hpp>

/// What a step does, and how its command travels: call(), event(), local().
namespace flotilla::saga {

enum class Travel : std::uint8_t { call, event, local };

namespace detail {

/// Which command it is: the key of its tries.
struct Correlation {
    std::string_view saga, step;
    bool undo = false;
};

/// An action without the types of its state, which is JSON here. Constant once it is made; its functions may be called
/// from any thread, and run() and publish() are called on the database's writer thread.
struct Act {
    Travel travel = Travel::local;
    std::string target; ///< "inventory-service", the topic; empty: local

    // call
    std::optional<EndpointInfo> endpoint = {};
    std::function<Result<std::shared_ptr<const void>>(std::string_view state)> request = {};
    // event
    std::function<Result<void>(Transaction&, std::string_view state, const Correlation&)> publish = {};
    // call and event: the state with what was answered
    std::function<Result<std::string>(std::string_view state, std::string_view answer)> keep = {};
    // local: changes the state
    std::function<Result<void>(Transaction&, std::string& state)> run = {};
};

/// Throws std::logic_error unless the endpoint may be called again and again.
void check_repeatable(const EndpointInfo& endpoint);

template <class State, class Answer>
std::function<Result<std::string>(std::string_view, std::string_view)> keeping(void (*keep)(State&, const Answer&)) {
    if (keep == nullptr) return {};
    return [keep](std::string_view state, std::string_view answer) -> Result<std::string> {
        auto kept = json::parse<State>(state);
        if (!kept) return std::move(kept.error());
        auto answered = json::parse<Answer>(answer);
        if (!answered) return std::move(answered.error());
        keep(*kept, *answered);
        return json::write(*kept);
    };
}

} // namespace detail

/// What a step, or its compensation, does. Made by call(), event() and local().
template <class State>
struct Action {
    std::shared_ptr<const detail::Act> act;
};

/// A call of another service, with an Idempotency-Key made of the saga's id and the step, the same for all tries.
/// `request` makes it from the state, alike each time; `keep` notes in the state what was answered. An answer of a 4xx
/// kind refuses the step: it has had no effect. After anything else (5xx, no answer in time) that is unknown, and the
/// call is repeated. The endpoint is idempotent by its method or its declaration: else std::logic_error.
template <class State, class Request, class Response>
Action<State> call(const Endpoint<Request, Response>& endpoint, Request (*request)(const State&),
                   std::type_identity_t<void (*)(State&, const Response&)> keep = nullptr) {
    detail::check_repeatable(endpoint);
    detail::Act act{.travel = Travel::call, .target = std::string(endpoint.service.name), .endpoint = endpoint};
    act.request = [request](std::string_view json) -> Result<std::shared_ptr<const void>> {
        auto state = json::parse<State>(json);
        if (!state) return std::move(state.error());
        return std::shared_ptr<const void>(std::make_shared<const Request>(request(*state)));
    };
    act.keep = detail::keeping<State, Response>(keep);
    return {std::make_shared<const detail::Act>(std::move(act))};
}

/// A command on a topic, published in the transition's commit; the participant answers with a saga::Reply on a topic
/// that the engine hears (Engine::hears). `command` makes its body from the state; `keep` gets Reply::result.
template <class State, class Body, class Answer = Empty>
Action<State> event(Publisher<Command<Body>>& publisher, Body (*command)(const State&),
                    std::type_identity_t<void (*)(State&, const Answer&)> keep = nullptr) {
    detail::Act act{.travel = Travel::event, .target = "events"};
    act.publish = [&publisher, command](Transaction& transaction, std::string_view json,
                                        const detail::Correlation& to) -> Result<void> {
        auto state = json::parse<State>(json);
        if (!state) return std::move(state.error());
        publisher.publish(
            transaction,
            {.saga = std::string(to.saga), .step = std::string(to.step), .undo = to.undo, .body = command(*state)});
        return {};
    };
    act.keep = detail::keeping<State, Answer>(keep);
    return {std::make_shared<const detail::Act>(std::move(act))};
}

namespace detail {
template <class State>
Action<State> local_action(std::function<Result<void>(Transaction&, State&)> function) {
    Act act{.travel = Travel::local};
    act.run = [function = std::move(function)](Transaction& transaction, std::string& json) -> Result<void> {
        auto state = json::parse<State>(json);
        if (!state) return std::move(state.error());
        if (auto done = function(transaction, *state); !done) return done;
        json = json::write(*state);
        return {};
    };
    return {std::make_shared<const Act>(std::move(act))};
}
} // namespace detail

/// A plain function of this service, in the transition's own commit. By the rules of transaction bodies: it may run
/// twice. An error of a 4xx kind refuses the step, any other is tried again; what it wrote is gone either way.
template <class State>
Action<State> local(Result<void> (*function)(Transaction&, State&)) {
    return detail::local_action<State>(function);
}
/// The same with a member function; the object outlives the engine.
template <class State, class T>
Action<State> local(Result<void> (T::*method)(Transaction&, State&), T& object) {
    return detail::local_action<State>(
        [method, &object](Transaction& transaction, State& state) { return (object.*method)(transaction, state); });
}

} // namespace flotilla::saga
