#include <flotilla/http/client.hpp>

#include <flotilla/http/test_wire.hpp>

namespace flotilla::http::client_test {
namespace {

using namespace std::chrono_literals;

Request request(Method method, std::string target, std::string body = {}) {
    Request made;
    made.head.method = method;
    made.head.method_name = name(method);
    made.head.target = std::move(target);
    made.body = std::move(body);
    return made;
}

/// Answers with what it was asked.
task<void> echo(Context& context, Exchange& exchange) {
    auto body = co_await exchange.read_all(context);
    if (!body) co_return;
    ResponseHead head;
    for (const auto* field :
         {"traceparent", "tracestate", "baggage", "flotilla-timeout-ms", "grpc-timeout", "flotilla-criticality"}) {
        if (const auto value = exchange.request().headers.get(field))
            head.headers.add("X-" + std::string(field), *value);
    }
    head.headers.add("X-Host", exchange.request().authority);
    std::ignore = co_await exchange.respond(context, head, *body);
}

// Goal: an address that is cut off is reached neither anew nor over a kept connection, until it is healed.
TEST(HttpClient, CutOffAddressIsNotReached) {
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        EXPECT_TRUE(co_await client.fetch(context, address, request(Method::post, "/", "one")));
        EXPECT_EQ(client.idle_connections(), 1u);
        client.cut_off({"127.0.0.1:1", address.to_string()});
        const auto refused = co_await client.fetch(context, address, request(Method::post, "/", "two"));
        EXPECT_EQ(refused ? "" : refused.error().code(), "connect_failed");
        client.cut_off({});
        EXPECT_TRUE(co_await client.fetch(context, address, request(Method::post, "/", "three")));
    });
}

// Goal: one call after another goes over one connection.
TEST(HttpClient, FetchReusesItsConnection) {
    with_server({}, echo, [](Context& context, Server& server, Address address) -> task<void> {
        Client client(context.world());
        for (const auto* text : {"one", "two", ""}) {
            const auto response = co_await client.fetch(context, address, request(Method::post, "/", text));
            EXPECT_TRUE(response) << response.error().message();
            EXPECT_EQ(response->body, text);
            EXPECT_EQ(response->status(), 200);
            EXPECT_EQ(client.idle_connections(), 1u);
        }
        EXPECT_EQ(server.statistics().connections, 1u);
        client.close_idle(&address);
        EXPECT_EQ(client.idle_connections(), 0u);
        co_await turn_until(context, [&] { return server.statistics().connections == 0; });
    });
}

/// Answers the first request of a connection.
task<std::unique_ptr<Stream>> answer_one(Context& context, Listener& listener) {
    auto stream = (co_await listener.accept(context)).value();
    std::array<char, 4096> buffer;
    EXPECT_TRUE(co_await stream->read(context, buffer));
    EXPECT_TRUE(co_await stream->write(context, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    co_return stream;
}

task<void> answer_and_keep(Context& context, Listener& listener, std::vector<std::unique_ptr<Stream>>& kept) {
    while (kept.size() < 4)
        kept.push_back(co_await answer_one(context, listener));
}

// Goal: a request that must not be sent twice does not go out on a connection that the server closed a moment ago.
TEST(HttpClient, PostMeetsNoConnectionClosedInTheSameTurn) {
    Loop loop;
    Context root(loop.world());
    Context context(root, 20s);
    auto listener = loop.world().listen(Address::tcp("127.0.0.1", 0)).value();
    loop.run_until_done([](Context& within, Listener& at) -> task<void> {
        Client client(within.world());
        std::vector<std::unique_ptr<Stream>> kept;
        Scope scope(within);
        scope.spawn(answer_and_keep(scope.context(), at, kept));
        for (std::size_t i = 0; i < 4; ++i) {
            if (!kept.empty()) kept.back()->close();
            const auto response = co_await client.fetch(within, at.local(), request(Method::post, "/", "x"));
            EXPECT_TRUE(response) << response.error().message();
        }
        co_await scope.join();
    }(context, *listener));
}

// Goal: the context's trace and remaining time travel with the request, as a span of its own.
TEST(HttpClient, FetchAddsTraceAndDeadline) {
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        Context call(context, 5s);
        call.trace.state = "a=1";
        call.trace.baggage = "c=d";
        const auto response = co_await client.fetch(call, address, request(Method::get, "/"));
        EXPECT_TRUE(response);
        const auto& headers = response->head.headers;
        const auto sent = TraceContext::parse(headers.get("X-traceparent").value_or(""));
        EXPECT_EQ(sent.trace_id, call.trace.trace_id);
        EXPECT_NE(sent.span_id, call.trace.span_id);
        EXPECT_EQ(headers.get("X-tracestate"), "a=1");
        EXPECT_EQ(headers.get("X-baggage"), "c=d");
        EXPECT_EQ(headers.get("X-Host"), address.to_string());
        const auto left = std::stoi(std::string(headers.get("X-flotilla-timeout-ms").value_or("0")));
        EXPECT_GT(left, 3000);
        EXPECT_LE(left, 5000);
    });
}

// Goal: how critical work is travels with its calls; normal is what is not said. A gRPC deadline that is passed on
// becomes what is left of it.
TEST(HttpClient, FetchAddsCriticalityAndGrpcDeadline) {
    with_server({}, echo, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        Context call(context, 5s);
        auto plain = request(Method::get, "/");
        auto answer = co_await client.fetch(call, address, plain);
        EXPECT_FALSE(answer->head.headers.has("X-flotilla-criticality"));
        EXPECT_FALSE(answer->head.headers.has("X-grpc-timeout"));
        call.criticality = Criticality::critical;
        plain.head.headers.add("grpc-timeout", "1H");
        answer = co_await client.fetch(call, address, plain);
        EXPECT_EQ(answer->head.headers.get("X-flotilla-criticality"), "critical");
        const std::string left(answer->head.headers.get("X-grpc-timeout").value_or(""));
        EXPECT_TRUE(left.ends_with("m")) << left;
        EXPECT_LE(std::stoi(left), 5000);
        EXPECT_GT(std::stoi(left), 3000);
    });
}

// Goal: large bodies travel whole in both directions.
TEST(HttpClient, FetchLargeBodyArrivesWhole) {
    with_server({.body_bytes_max = 64 << 20}, echo, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        std::string large(8 << 20, '\0');
        for (std::size_t i = 0; i < large.size(); ++i)
            large[i] = static_cast<char>(i * 2654435761u >> 24);
        const auto response = co_await client.fetch(context, address, request(Method::put, "/", large));
        EXPECT_TRUE(response);
        EXPECT_TRUE(response->body == large);
    });
}

// Goal: an exchange streams both ways, with trailers, and gives its connection back.
TEST(HttpClient, OpenStreamsBothWays) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::unknown()));
        while (true) {
            const auto piece = co_await exchange.read(context);
            EXPECT_TRUE(piece);
            if (!piece || piece->empty()) break;
            EXPECT_TRUE(co_await exchange.write(context, *piece));
        }
        EXPECT_TRUE(co_await exchange.finish(context, exchange.request_trailers()));
    };
    with_server({}, handler, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        {
            auto exchange = co_await client.open(context, address);
            EXPECT_TRUE(exchange);
            auto& use = **exchange;
            const auto head = request(Method::post, "/stream").head;
            EXPECT_TRUE(co_await use.send(context, head, BodySize::unknown()));
            EXPECT_TRUE(co_await use.write(context, "first"));
            const auto response = co_await use.receive(context);
            EXPECT_TRUE(response);
            EXPECT_EQ((*response)->status, 200);
            EXPECT_EQ((co_await use.read(context)).value(), "first");
            EXPECT_TRUE(co_await use.write(context, "second"));
            EXPECT_EQ((co_await use.read(context)).value(), "second");
            Headers trailers;
            trailers.add("X-Sum", "42");
            EXPECT_TRUE(co_await use.finish(context, trailers));
            EXPECT_EQ((co_await use.read(context)).value(), "");
            EXPECT_EQ(use.response_trailers().get("x-sum"), "42");
            EXPECT_EQ(client.idle_connections(), 0u);
        }
        EXPECT_EQ(client.idle_connections(), 1u);
    });
}

// Goal: an exchange given up in the middle takes its connection with it.
TEST(HttpClient, ExchangeLeftEarlyEndsItsConnection) {
    Handler handler = [](Context& context, Exchange& exchange) -> task<void> {
        EXPECT_TRUE(co_await exchange.send(context, {}, BodySize::of(100)));
        EXPECT_TRUE(co_await exchange.write(context, "part"));
        std::ignore = co_await sleep_for(context, 1h);
    };
    with_server({.request_timeout = 1s}, handler, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        {
            auto exchange = co_await client.open(context, address);
            const auto head = request(Method::get, "/").head;
            EXPECT_TRUE(co_await (*exchange)->send_whole(context, head, {}));
            EXPECT_TRUE(co_await (*exchange)->receive(context));
            EXPECT_EQ((co_await (*exchange)->read(context)).value(), "part");
        }
        EXPECT_EQ(client.idle_connections(), 0u);
    });
}

// Goal: a call ends when its context does, and the connection is not used again.
TEST(HttpClient, FetchPastItsDeadlineFails) {
    Handler handler = [](Context& context, Exchange&) -> task<void> { std::ignore = co_await sleep_for(context, 1h); };
    with_server({.request_timeout = 100ms}, handler, [](Context& context, Server&, Address address) -> task<void> {
        Client client(context.world());
        Context call(context, 20ms);
        const auto response = co_await client.fetch(call, address, request(Method::get, "/"));
        EXPECT_FALSE(response);
        EXPECT_EQ(response.error().kind(), Kind::deadline_exceeded);
        EXPECT_EQ(client.idle_connections(), 0u);
        const auto again = co_await client.fetch(call, address, request(Method::get, "/"));
        EXPECT_EQ(again.error().kind(), Kind::deadline_exceeded);
    });
}

// Goal: past the connection limit a call waits for its turn, within its deadline.
TEST(HttpClient, ConnectionLimitMakesCallsWait) {
    Event release;
    Handler handler = [&release](Context& context, Exchange& exchange) -> task<void> {
        if (exchange.request().target == "/wait") std::ignore = co_await release.wait(context);
        std::ignore = co_await exchange.respond(context, {}, exchange.request().target);
    };
    struct Calls {
        static task<void> fetch(Context& context, Client& client, Address address, std::string target,
                                std::vector<std::string>& done) {
            const auto response = co_await client.fetch(context, address, request(Method::get, target));
            done.push_back(response ? response->body : std::string(name(response.error().kind())));
        }
    };
    with_server({}, handler, [&release](Context& context, Server& server, Address address) -> task<void> {
        Client client(context.world(), {.connections_per_address_max = 1});
        std::vector<std::string> done;
        Context hasty(context, 20ms);
        Scope scope(context);
        scope.spawn(Calls::fetch(context, client, address, "/wait", done));
        scope.spawn(Calls::fetch(context, client, address, "/second", done));
        scope.spawn(Calls::fetch(hasty, client, address, "/hasty", done));
        co_await turn_until(context, [&] { return done.size() == 1; });
        EXPECT_EQ(done, std::vector<std::string>{"deadline_exceeded"});
        EXPECT_EQ(client.load(address).active, 1u);
        EXPECT_EQ(client.load(address).waiting, 1u);
        EXPECT_EQ(client.load(Address::tcp("127.0.0.1", 1)).active, 0u);
        EXPECT_EQ(server.statistics().connections, 1u);
        release.notify();
        co_await scope.join();
        EXPECT_EQ(done, (std::vector<std::string>{"deadline_exceeded", "/wait", "/second"}));
        EXPECT_EQ(server.statistics().connections, 1u);
        EXPECT_EQ(client.idle_connections(), 1u);
        EXPECT_EQ(client.load(address).active, 0u);
        EXPECT_EQ(client.load(address).waiting, 0u);
        EXPECT_EQ(client.load(address).idle, 1u);
    });
}

// Goal: connections that nobody uses are closed by the client, before the server does it.
TEST(HttpClient, IdleConnectionsAreReaped) {
    with_server({}, echo, [](Context& context, Server& server, Address address) -> task<void> {
        Client client(context.world(), {.idle_timeout = 20ms});
        EXPECT_TRUE(co_await client.fetch(context, address, request(Method::get, "/")));
        EXPECT_EQ(client.idle_connections(), 1u);
        co_await turn_until(context,
                            [&] { return client.idle_connections() == 0 && server.statistics().connections == 0; });
    });
}

// Goal: nobody listening is said plainly.
TEST(HttpClient, FetchNobodyListeningIsUnavailable) {
    with_server({}, echo, [](Context& context, Server& server, Address address) -> task<void> {
        Client client(context.world());
        co_await server.shutdown(context, 1s);
        const auto response = co_await client.fetch(context, address, request(Method::get, "/"));
        EXPECT_FALSE(response);
        EXPECT_EQ(response.error().kind(), Kind::unavailable);
    });
}

// Goal: a target that would smuggle another request is refused before anything is sent.
TEST(HttpClient, FetchMalformedTargetIsRefused) {
    with_server({}, echo, [](Context& context, Server& server, Address address) -> task<void> {
        Client client(context.world());
        const auto response = co_await client.fetch(context, address, request(Method::get, "/ HTTP/1.1\r\n\r\nGET /x"));
        EXPECT_FALSE(response);
        EXPECT_EQ(response.error().kind(), Kind::invalid);
        EXPECT_EQ(server.statistics().requests, 0u);
    });
}

} // namespace
} // namespace flotilla::http::client_test
