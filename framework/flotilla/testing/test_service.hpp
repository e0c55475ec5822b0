#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/json_value.hpp>
#include <flotilla/bus/bus.hpp>
#include <flotilla/service/run.hpp>

namespace flotilla {

/// Another service, faked: it answers over real HTTP with what a function says. See fake().
struct Fake {
    std::string_view service;
    std::function<void(Host&)> install;
};

namespace detail {
template <class Response, class Function, class Request>
task<Result<Response>> answer_fake(Function function, Request request) {
    co_return function(std::move(request));
}
} // namespace detail

/// fake(user::get, [](user::UserId id) -> Result<user::User> {...}). Several endpoints of one service
/// may be faked beside each other. The function runs on the test service's thread. A fake records no answers under
/// Idempotency-Keys and has no versions, whatever the endpoint declares.
template <class Request, class Response, class Function>
Fake fake(const Endpoint<Request, Response>& endpoint, Function function) {
    auto plain = endpoint;
    plain.options.idempotent = plain.options.versioned = plain.options.if_match_required = false;
    return {endpoint.service.name, [plain, function](Host& host) {
                host.serve(plain, [function](Context&, Request request) {
                    return detail::answer_fake<Response>(function, std::move(request));
                });
            }};
}

struct TestOptions {
    std::function<Result<void>(Transaction&)> seed = {}; ///< runs once, after the migrations
    std::vector<Fake> fakes = {};
    std::map<std::string, std::string, std::less<>> settings = {};
    std::string data = {};     ///< folder that survives the TestService; empty: a temporary one
    std::string bus = {};      ///< URL; empty: an in-process bus of its own
    std::string registry = {}; ///< URL; empty: a static one with the fakes
};

struct TestResponse {
    int status = 0;
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string body;
    boost::json::value json() const;
};

/// A header for TestService::post and friends.
struct TestHeader {
    std::string name, value;
};
inline TestHeader idempotency_key(std::string key) { return {"idempotency-key", std::move(key)}; }

/// One service on port 0 with its real database, HTTP and outbox, in a thread of its own; other services are fakes.
/// Throws when the service cannot start. Thread-safety: use from one thread.
class TestService {
public:
    explicit TestService(Install install, TestOptions options = {});
    TestService(const TestService&) = delete;
    TestService& operator=(const TestService&) = delete;
    ~TestService();

    TestResponse get(std::string_view target, std::initializer_list<TestHeader> headers = {});
    TestResponse post(std::string_view target, const boost::json::value& body,
                      std::initializer_list<TestHeader> headers = {});
    TestResponse post(std::string_view target, const boost::json::value& body, TestHeader header) {
        return post(target, body, {header});
    }
    TestResponse patch(std::string_view target, const boost::json::value& body,
                       std::initializer_list<TestHeader> headers = {});
    TestResponse send(std::string_view method, std::string_view target, std::string body,
                      std::span<const TestHeader> headers);

    /// Publishes an event as `producer` would, with the next sequence of that producer and topic.
    template <class Event>
    void deliver(const Topic<Event>& topic, const Event& event, std::string event_id,
                 std::string producer = "test-producer") {
        publish_message(topic.name, topic.key_of(event), json::write(event), std::move(event_id), std::move(producer));
    }
    /// Waits for the next event the service (or anybody) published on a topic. Throws after 10 s.
    Message next_event(std::string_view topic);

    const Address& address() const;
    const std::string& data() const;

private:
    void publish_message(std::string_view topic, std::string key, std::string payload, std::string event_id,
                         std::string producer);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Waits until the condition holds, looking every millisecond; false after `patience`.
bool eventually(const std::function<bool()>& condition, Duration patience = std::chrono::seconds(10));

} // namespace flotilla
