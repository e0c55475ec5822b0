#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/bus/inbox.hpp>
#include <flotilla/bus/publisher.hpp>
#include <flotilla/bus/received.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/contract/topic.hpp>
#include <flotilla/http/static_content.hpp>
#include <flotilla/node/own_pages.hpp>
#include <flotilla/observe/telemetry.hpp>
#include <flotilla/service/asyncapi.hpp>
#include <flotilla/service/calls.hpp>
#include <flotilla/service/database_work.hpp>
#include <flotilla/service/endpoint_core.hpp>
#include <flotilla/service/options.hpp>
#include <flotilla/store/backfill.hpp>
#include <flotilla/store/database.hpp>
#include <flotilla/store/jobs.hpp>

namespace flotilla {

class AggregateInfo;
class EventSubscription;
class Node;
class Projection;
class ReadModel;
struct Engines;

/// What the loops of a process share: log, metrics, and which idempotent requests are being handled. Thread-safe.
struct Process : Telemetry {
    std::unique_ptr<struct RequestsInFlight> in_flight;
    RetryBudgets retry_budgets; ///< of all loops' calls

    explicit Process(Logger logger);
    ~Process();
};

/// Where a service is installed: it serves endpoints, listens to topics, owns its parts and reaches its database and
/// other services. install(Host&) runs once per loop and never knows whether it is in a process, a bundle or a test.
/// What runs it is a ServiceNode. Thread-safety: none; belongs to its loop. References it gives stay valid as long as
/// the host.
class Host {
public:
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    ~Host();

    World& world() const;
    const Logger& log() const;
    Metrics& metrics() const;
    const HostOptions& options() const;

    /// The service's own database; before the first request the migrations are applied, the backfills run, and each
    /// table, query and statement listed is prepared: one that does not fit the tables is a service that does not
    /// start. Once per host.
    Database& database(Migrations migrations, std::initializer_list<Declared> statements = {},
                       Backfills backfills = {});
    /// What this service calls other services with, and which ones: no other can be called.
    Calls& calls(std::initializer_list<Service> services);

    /// Makes a part that lives as long as the host; parts end in reverse order.
    template <class T, class... Arguments>
    T& own(Arguments&&... arguments) {
        return keep(std::make_shared<T>(std::forward<Arguments>(arguments)...));
    }

    /// Serves an endpoint by a member function `task<Result<Response>> T::method(Context&, Request)`. One that is
    /// declared idempotent answers with `Recorded<Response>`: see Database::answer(). One that is declared versioned
    /// answers with `Versioned<Response>`, or, where it changes the resource, with `Changed<Response>`, from
    /// Transaction::change(), and takes the ExpectedVersion as well; both together make a
    /// `Recorded<Changed<Response>>`. All endpoints of a host belong to one service.
    template <class Request, class Response, class Answer, class T>
    void serve(const Endpoint<Request, Response>& endpoint, task<Result<Answer>> (T::*method)(Context&, Request),
               T& object) {
        serve(endpoint, [method, &object](Context& context, Request request) {
            return (object.*method)(context, std::move(request));
        });
    }
    template <class Request, class Response, class Answer, class T>
    void serve(const Endpoint<Request, Response>& endpoint,
               task<Result<Answer>> (T::*method)(Context&, Request, ExpectedVersion), T& object) {
        serve(endpoint, [method, &object](Context& context, Request request, ExpectedVersion expected) {
            return (object.*method)(context, std::move(request), std::move(expected));
        });
    }
    /// Serves an endpoint by a function of that shape; it must not be a capturing coroutine itself.
    template <class Request, class Response, class Function>
    void serve(const Endpoint<Request, Response>& endpoint, Function function) {
        static_assert(Serves<Function, Request, Response>,
                      "a handler of Endpoint<Request, Response> is task<Result<Response>> (Context&, Request), with "
                      "Recorded<Response> where the endpoint is idempotent, Versioned<Response> where it is versioned, "
                      "and Changed<Response> (Context&, Request, ExpectedVersion) where it changes such a resource");
        add(std::make_unique<detail::TypedEndpoint<Request, Response, Function>>(endpoint, std::move(function)),
            AnswerTraits<AnswerOf<Function, Request>>::form);
    }

    /// Serves a streamed endpoint by `task<Result<Response>> T::method(Context&, Request, BodyStream&)`, or a function
    /// of that shape: the method reads the body as it comes.
    template <class Request, class Response, class T>
    void serve(const StreamedEndpoint<Request, Response>& endpoint,
               task<Result<Response>> (T::*method)(Context&, Request, BodyStream&), T& object) {
        serve(endpoint, [method, &object](Context& context, Request request, BodyStream& body) {
            return (object.*method)(context, std::move(request), body);
        });
    }
    template <class Request, class Response, class Function>
    void serve(const StreamedEndpoint<Request, Response>& endpoint, Function function) {
        static_assert(ServesStream<Function, Request, Response>,
                      "a handler of StreamedEndpoint<Request, Response> is "
                      "task<Result<Response>> (Context&, Request, BodyStream&)");
        add(std::make_unique<detail::TypedEndpoint<Request, Response, Function>>(endpoint, std::move(function)), {});
    }

    /// Serves an event stream by `task<Result<void>> T::method(Context&, Request, EventStream<Event>&)`, or a function
    /// of that shape: the method sends events for as long as the stream lasts.
    template <class Request, class Event, class T>
    void serve(const EventStreamEndpoint<Request, Event>& endpoint,
               task<Result<void>> (T::*method)(Context&, Request, EventStream<Event>&), T& object) {
        serve(endpoint, [method, &object](Context& context, Request request, EventStream<Event>& stream) {
            return (object.*method)(context, std::move(request), stream);
        });
    }
    template <class Request, class Event, class Function>
    void serve(const EventStreamEndpoint<Request, Event>& endpoint, Function function) {
        static_assert(ServesEvents<Function, Request, Event>,
                      "a handler of EventStreamEndpoint<Request, Event> is "
                      "task<Result<void>> (Context&, Request, EventStream<Event>&)");
        add(std::make_unique<detail::TypedEndpoint<Request, Event, Function>>(endpoint, std::move(function)), {});
    }

    /// Catch methods of another shape, to say which one is meant.
    template <class Request, class Response, class Method, class T>
    void serve(const Endpoint<Request, Response>&, Method, T&) {
        static_assert(
            std::is_void_v<Method>,
            "a handler of Endpoint<Request, Response> is task<Result<Response>> T::method(Context&, Request), with "
            "Recorded<Response> where the endpoint is idempotent, Versioned<Response> where it is versioned, and "
            "Changed<Response> T::method(Context&, Request, ExpectedVersion) where it changes such a resource");
    }
    template <class Request, class Response, class Method, class T>
    void serve(const StreamedEndpoint<Request, Response>&, Method, T&) {
        static_assert(std::is_void_v<Method>, "a handler of StreamedEndpoint<Request, Response> is "
                                              "task<Result<Response>> T::method(Context&, Request, BodyStream&)");
    }
    template <class Request, class Event, class Method, class T>
    void serve(const EventStreamEndpoint<Request, Event>&, Method, T&) {
        static_assert(std::is_void_v<Method>, "a handler of EventStreamEndpoint<Request, Event> is "
                                              "task<Result<void>> T::method(Context&, Request, EventStream<Event>&)");
    }

    /// Serves the files below a folder under a prefix ("/ui"; "/" for all that no endpoint answers): GET and HEAD, as
    /// http::StaticContent does. Endpoints and the framework's own pages come first. In metrics the route is the
    /// prefix. Throws std::runtime_error when there is no such folder, so that start-up fails.
    void serve_files(std::string_view prefix, const std::string& folder, http::StaticOptions options = {});

    /// Handles each event of a topic once (of one with `pubsub` also what comes on its channel, at most once): a plain
    /// function `Result<void> T::method(Transaction&, const Received<Event>&)`, or void where it refuses nothing, in
    /// the transaction that also moves the consumer's mark. It runs on the database's writer thread. A topic may have
    /// several handlers: each further one is a consumer of its own, which handles, fails and is parked without the
    /// others, by a name that stays the same in every version of the service.
    template <class Event, class Outcome, class T>
        requires std::same_as<Outcome, Result<void>> || std::is_void_v<Outcome>
    void on(const Topic<Event>& topic, Outcome (T::*method)(Transaction&, const Received<Event>&), T& object,
            std::string_view consumer = {}) {
        subscribe(
            topic_use(TopicUse::Action::receive, topic),
            [method, &object](Transaction& transaction, const Message& message) -> Result<void> {
                auto event = json::parse<Event>(message.payload);
                if (!event) return std::move(event.error());
                const Received<Event> received{.event = std::move(*event),
                                               .id = message.id,
                                               .topic = message.topic,
                                               .producer = message.producer,
                                               .time = message.time,
                                               .trace = transaction.trace()};
                if constexpr (std::is_void_v<Outcome>) {
                    (object.*method)(transaction, received);
                    return {};
                } else {
                    return (object.*method)(transaction, received);
                }
            },
            consumer);
    }

    /// The right to publish a topic, which nothing else gives; the service's AsyncAPI document shows it. Lives as long
    /// as the host.
    template <class Event>
    Publisher<Event>& publishes(const Topic<Event>& topic) {
        use_topic(topic_use(TopicUse::Action::send, topic));
        return keep(std::shared_ptr<Publisher<Event>>(new Publisher<Event>(topic)));
    }

    /// Executes a durable job: an effect on the outside world, at least once, with retry. By a method that takes a
    /// JobTry as well the job may note in a transaction of its own that it is done: effect and outcome commit together.
    template <class Payload, class T>
    void perform(const Job<Payload>& job, task<Result<void>> (T::*method)(Context&, Payload), T& object) {
        add_job(job.name, [method, &object](Context& context, std::string_view payload_json, const JobTry&) {
            return run_job<Payload>(payload_json, [method, &object, &context](Payload payload) {
                return (object.*method)(context, std::move(payload));
            });
        });
    }
    template <class Payload, class T>
    void perform(const Job<Payload>& job, task<Result<void>> (T::*method)(Context&, Payload, JobTry), T& object) {
        add_job(job.name, [method, &object](Context& context, std::string_view payload_json, const JobTry& attempt) {
            return run_job<Payload>(payload_json, [method, &object, &context, &attempt](Payload payload) {
                return (object.*method)(context, std::move(payload), attempt);
            });
        });
    }

    /// Declares the aggregates whose events this database keeps, and makes the event store's tables
    /// (store/event_store.hpp): `host.events({orders});`. Needs database().
    void events(std::initializer_list<std::reference_wrapper<const AggregateInfo>> aggregates);
    /// Makes tables of those events, in the background (store/projection.hpp), and gives what their readers need:
    /// `host.projection({storage::order_list})`; while a new version is being built, with the one that serves before
    /// it:
    /// `{storage::order_list_1, storage::order_list_2}`. Needs events().
    ReadModel& projection(std::initializer_list<std::reference_wrapper<const Projection>> versions);
    /// Does something once for each of those events. Needs events().
    void subscription(const EventSubscription& subscription);

    /// A described struct of the service's own settings, each field from `--set name=value` or FLOTILLA_SET_<NAME>;
    /// fields keep the default they have in `defaults`. Throws std::runtime_error naming the bad value (start-up
    /// fails).
    template <class Settings>
    Settings settings(Settings defaults = {}) {
        read_settings(descriptor_of<Settings>, &defaults);
        return defaults;
    }

    // For layers above, whose parts a service makes (saga::Engine). While it is installed.

    Telemetry& telemetry() const;
    /// Tables and statements of a component: its migrations are applied behind the framework's, and its statements are
    /// prepared as the service's are. Requires: database().
    void add_tables(std::string_view component, Migrations migrations, std::initializer_list<Declared> statements = {});
    /// Work that belongs to the database's role, which one host at a time holds: see DatabaseWork. Requires:
    /// database().
    void add_database_part(DatabaseDuties::Part part);
    /// A page of the framework's own under a path of its own; see OwnPages::add_operation. Such pages answer whatever
    /// the state of the rest, and stand in no contract.
    void add_operation(std::string path, Method method, OwnAnswer answer);
    /// Something that this program must be able to go on with when it takes over the database: says by line what it
    /// cannot. Asked by `--check-upgrade`, of a database opened for reading.
    using UpgradeCheck = std::function<task<Result<std::vector<std::string>>>(Context&)>;
    void add_upgrade_check(UpgradeCheck check);

    /// Adds a dependency to /readyz: ok, or why not. `required`: without it the instance is not ready at all.
    void add_check(std::string name, std::function<Result<void>()> check, bool required = false);

private:
    friend class ServiceNode;
    Host(World& world, Process& process, HostOptions options, Lane lane, Engines engines);
    /// Checks the settings, applies migrations (primary loop) and listens. Requires: after install().
    task<Result<void>> prepare(Context& context);
    /// What add_upgrade_check() has added, asked one after the other. Requires: after install().
    task<Result<std::vector<std::string>>> check_upgrade(Context& context);
    Node& node() const; ///< Requires: prepare()

    template <class T>
    T& keep(std::shared_ptr<T> part) {
        T& reference = *part;
        parts_.push_back(std::move(part));
        return reference;
    }
    template <class Payload, class Method>
    static task<Result<void>> run_job(std::string_view json, Method method) {
        auto payload = json::parse<Payload>(json);
        if (!payload) co_return std::move(payload.error());
        co_return co_await method(std::move(*payload));
    }
    void add(std::unique_ptr<EndpointCore> endpoint, AnswerForm answer);
    void subscribe(TopicUse use, EventHandler handler, std::string_view consumer);
    TopicUse use_topic(TopicUse use);
    void add_job(std::string_view kind, JobRunner::Handler handler);
    void read_settings(const TypeDescriptor& type, void* settings);

    struct Impl;
    std::unique_ptr<Impl> impl_;
    std::vector<std::shared_ptr<void>> parts_;
};

} // namespace flotilla
