#include "hub/consul/consul_api.hpp"

#include <array>

#include <flotilla/aio/scope.hpp>

#include "hub/consul/check_probe.hpp"
#include "hub/consul/journal.hpp"
#include "hub/consul/request.hpp"

namespace flotilla::hub {

using namespace consul;

namespace {

constexpr std::size_t kBodyBytesMax = 1024 * 1024;
constexpr Duration kLoadRetry = std::chrono::seconds(1);
/// Time kept of a request's deadline to send the answer of a blocking query.
constexpr Duration kAnswerMargin = std::chrono::seconds(1);

/// They would choose whose data is meant.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kEnterpriseHeaders{{
    {"X-Consul-Namespace", "Namespaces"},
    {"X-Consul-Partition", "Partitions"},
}};

/// The errors of reading a request that its sender can still be told about.
ConsulReply unreadable(const Error& error) { return reply_text(http_status(error.kind()), error.message()); }

ConsulReply no_leader() { return reply_text(500, "No cluster leader"); }

http::ResponseHead head_of(const ConsulReply& reply) {
    http::ResponseHead head;
    head.status = reply.status;
    // Values, and errors that repeat what was asked, are whatever somebody wrote: no page of ours.
    if (!reply.content_type.empty()) head.headers.add("Content-Type", reply.content_type);
    head.headers.add("X-Content-Type-Options", "nosniff");
    if (reply.content_type == "text/plain") head.headers.add("Content-Security-Policy", "sandbox"); // a raw value
    head.headers.add("Vary", "Accept-Encoding");
    head.headers.add("X-Consul-Default-Acl-Policy", "allow");
    if (!reply.allow.empty()) head.headers.add("Allow", reply.allow);
    if (!reply.location.empty()) head.headers.add("Location", reply.location);
    if (!reply.hash.empty()) head.headers.add("X-Consul-ContentHash", reply.hash);
    if (reply.index != 0) {
        head.headers.add("X-Consul-Index", std::to_string(reply.index));
        head.headers.add("X-Consul-KnownLeader", "true");
        head.headers.add("X-Consul-LastContact", "0");
    }
    return head;
}

} // namespace

struct ConsulApi::Impl {
    World& world;
    http::Client& http;
    Logger log;
    Stores stores;
    Journal journal;
    EventList changed; ///< wakes blocking queries
    Event rescheduled; ///< wakes the clockwork
    std::uint64_t seen_version = 0;
    bool loaded = false;
    bool stopping = false;

    Impl(World& the_world, http::Client& client, const std::string& data_folder, Logger logger)
        : world(the_world), http(client), log(logger), journal(the_world, std::move(logger), data_folder, stores) {}

    /// After any change of the stores: lets sessions follow, wakes who waits. Resumes blocking queries inline.
    void propagate() {
        stores.end_sessions_of_failed_checks(world.monotonic());
        if (seen_version == stores.changes.version) return;
        seen_version = stores.changes.version;
        journal.wake();
        changed.notify_all();
    }

    task<void> load(Context& context) {
        while (!context.cancelled()) {
            auto done = co_await journal.load(context);
            if (done) {
                loaded = true;
                co_return;
            }
            log.error(context, "the registry cannot be loaded", {{"reason", done.error().message()}});
            // Ends early with the context, which the loop looks at.
            (void)co_await sleep_for(context, kLoadRetry);
        }
    }

    task<void> run_probe(Context& context, RegistryState::Probe due) {
        auto outcome = co_await probe(context, http, due.check);
        if (context.cancelled()) co_return;
        stores.registry.report_probe(due, outcome.status, std::move(outcome.output), world.monotonic());
        propagate();
        rescheduled.notify();
    }

    /// TTLs, probes, session expiry: sleeps until the next of them.
    task<void> clockwork(Scope& scope) {
        auto& context = scope.context();
        while (!context.cancelled()) {
            for (auto& due : stores.tick(world.monotonic()))
                scope.spawn(run_probe(context, std::move(due)));
            propagate();
            const auto next = stores.next_due();
            Context until(context, Deadline{next});
            // Ends when something was rescheduled, is due, or the context ended: looked at above.
            (void)co_await rescheduled.wait(until);
        }
    }

    task<void> run(Context& context) {
        co_await load(context);
        if (!loaded) co_return;
        Scope scope(context);
        scope.spawn(journal.run(scope.context()));
        co_await clockwork(scope);
        stopping = true;
        changed.notify_all();
        co_await scope.join();
    }

    Duration wait_of(const ConsulRequest& request, const Context& context) {
        // Consul adds up to a sixteenth, so that queries started together do not end together.
        const auto spread = static_cast<std::uint64_t>(request.wait.count() / 16 + 1);
        const auto wait = request.wait + Duration(static_cast<std::int64_t>(world.random() % spread));
        const auto left = context.remaining();
        return std::min(wait, left - std::min(kAnswerMargin, left / 10));
    }

    struct Answered {
        ConsulReply reply;
        bool changed_stores = false; ///< this request did; others may have meanwhile
    };

    void ask(const ConsulRequest& request, Answered& answered) {
        const auto before = stores.changes.version;
        answered.reply = answer(stores, request);
        answered.changed_stores |= before != stores.changes.version;
    }

    /// Answers, waiting for news where the request is a blocking query.
    task<Answered> reply_to(Context& context, ConsulRequest& request) {
        Answered answered;
        auto& reply = answered.reply;
        ask(request, answered);
        if (!reply.pending) co_return answered;
        Context waiting(context, wait_of(request, context));
        const Instant begun = world.monotonic();
        while (reply.pending && !stopping) {
            if (auto woken = co_await changed.wait(waiting); !woken) break;
            request.now = world.monotonic();
            ask(request, answered);
        }
        if (reply.pending) {
            request.index = 0; // the time is up: answer with what there is
            request.hash.clear();
            ask(request, answered);
        }
        reply.waited = world.monotonic() - begun;
        co_return answered;
    }

    task<Result<ConsulRequest>> read(Context& context, http::Exchange& exchange) {
        const auto& head = exchange.request();
        ConsulRequest request;
        request.method = head.method;
        auto parameters = http::parse_query(head.query());
        if (!parameters) co_return Error(Kind::invalid, "Bad query: invalid percent-encoding");
        request.parameters = std::move(*parameters);
        if (head.method == Method::put) {
            co_await must(exchange.limit_body(kBodyBytesMax));
            request.body = co_await must(exchange.read_all(context));
        }
        for (const auto& [header, feature] : kEnterpriseHeaders) {
            if (!head.headers.get(header).value_or("").empty())
                co_return Error(Kind::invalid, "Invalid header: \"" + std::string(header) + "\" - " +
                                                   std::string(feature) + " are a Consul Enterprise feature");
        }
        request.now = world.monotonic();
        request.fresh_id = new_id(world);
        co_return request;
    }

    task<ConsulReply> process(Context& context, http::Exchange& exchange) {
        if (!loaded || stopping) co_return no_leader();
        auto request = co_await read(context, exchange);
        if (!request) co_return unreadable(request.error());
        if (stopping) co_return no_leader(); // nobody would store what it changes
        if (auto refused = prepare(*request, exchange.request().path())) co_return std::move(*refused);
        auto [reply, changed_stores] = co_await reply_to(context, *request);
        const bool read_only = request->method == Method::get && !changed_stores;
        propagate();
        if (request->method != Method::get || !read_only) rescheduled.notify();
        // While the disk fails, readers get what memory has; writers are told.
        if (read_only && !journal.health()) co_return reply;
        auto durable = co_await journal.durable(context);
        if (!durable && !read_only) co_return reply_text(500, "not stored: " + durable.error().message());
        co_return reply;
    }

    task<std::optional<Handled>> handle(Context& context, http::Exchange& exchange) {
        if (!exchange.request().path().starts_with("/v1/")) co_return std::nullopt;
        const auto route = route_of(exchange.request().path());
        auto reply = co_await process(context, exchange);
        auto sent = co_await exchange.respond(context, head_of(reply), reply.body);
        // The client has gone or its deadline has passed: the server closes the connection.
        if (!sent && !exchange.responded()) exchange.reset();
        co_return Handled{route, reply.status, reply.waited};
    }
};

ConsulApi::ConsulApi(World& world, http::Client& http, std::string data_folder, Logger log)
    : impl_(std::make_unique<Impl>(world, http, data_folder, std::move(log))) {}
ConsulApi::~ConsulApi() = default;

task<void> ConsulApi::run(Context& context) { return impl_->run(context); }
task<std::optional<Handled>> ConsulApi::handle(Context& context, http::Exchange& exchange) {
    return impl_->handle(context, exchange);
}
Result<void> ConsulApi::health() const { return impl_->journal.health(); }

} // namespace flotilla::hub
