#pragma once

// What the tests of the Consul API share: the API behind a real server, and calls to it.

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/scope.hpp>
#include <flotilla/http/server.hpp>

#include "hub/consul/consul_api.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub::consul {

/// The API on a free port, its state in a folder of the test's.
class ApiBench {
public:
    ApiBench(Context& context, const TemporaryFolder& folder)
        : context_(context), http_(context.world()),
          api_(context.world(), http_, folder.path().string(),
               Logger("hub", LogLevel::info, Logger::Format::json, [this](std::string_view line) { log += line; })),
          server_(context.world(), [this](Context& each, http::Exchange& exchange) { return handle(each, exchange); }),
          address_(server_.listen(Address::tcp("127.0.0.1", 0)).value()), api_scope_(context), server_scope_(context) {
        api_scope_.spawn(api_.run(api_scope_.context()));
        server_scope_.spawn(server_.run(server_scope_.context()));
    }

    /// One call; fails the test when there is no answer.
    task<http::Response> call(Method method, std::string target, std::string body = {}) {
        http::Request request;
        request.head.method = method;
        request.head.method_name = name(method);
        request.head.target = std::move(target);
        request.head.authority = address_.to_string();
        request.body = std::move(body);
        auto response = co_await http_.fetch(context_, address_, std::move(request));
        if (!response) {
            ADD_FAILURE() << response.error().message();
            co_return http::Response{};
        }
        co_return std::move(*response);
    }
    task<http::Response> get(std::string target) { return call(Method::get, std::move(target)); }
    task<http::Response> put(std::string target, std::string body = {}) {
        return call(Method::put, std::move(target), std::move(body));
    }

    /// Waits until the state is loaded.
    task<void> ready() {
        while (!api_.health()) {
            if (auto turned = co_await sleep_for(context_, std::chrono::milliseconds(1)); !turned) {
                ADD_FAILURE() << "the API never became ready: " << log;
                co_return;
            }
        }
    }
    /// Ends the API alone.
    task<void> stop_api() {
        api_scope_.cancel(Error(Kind::cancelled, "the test is over"));
        co_await api_scope_.join();
    }
    /// Ends the API, which answers its blocking queries, then the server.
    task<void> stop() {
        co_await stop_api();
        co_await server_.shutdown(context_, std::chrono::milliseconds(100));
        co_await server_scope_.join();
    }

    const Address& address() const { return address_; }
    http::Client& http() { return http_; }
    ConsulApi& api() { return api_; }
    std::string log;

private:
    task<void> handle(Context& context, http::Exchange& exchange) {
        if (co_await api_.handle(context, exchange)) co_return;
        http::ResponseHead head;
        (void)co_await exchange.respond(context, head, "fine"); // a client that has gone does not matter here
    }

    Context& context_;
    http::Client http_;
    ConsulApi api_;
    http::Server server_;
    Address address_;
    Scope api_scope_;
    Scope server_scope_;
};

/// Runs a test's coroutine on a loop of its own, within ten seconds.
inline void run_on_loop(task<void> (*body)(Context&)) {
    Loop loop;
    Context context(loop.world());
    Context limited(context, std::chrono::seconds(10));
    loop.run_until_done(body(limited));
}

inline boost::json::value parsed(const http::Response& response) {
    boost::json::error_code failed;
    auto value = boost::json::parse(response.body, failed);
    if (failed) ADD_FAILURE() << "not JSON: " << response.body;
    return value;
}

inline std::string index_of(const http::Response& response) {
    return std::string(response.head.headers.get("X-Consul-Index").value_or(""));
}

inline task<void> store_response(task<http::Response> call, std::optional<http::Response>& into) {
    into.emplace(co_await std::move(call));
}

} // namespace flotilla::hub::consul
