#include <flotilla/contract/endpoint.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace flotilla::endpoint_test {
namespace {

struct OrderId {
    std::string id;
};
struct LineOfOrder {
    std::string order_id;
    int line_number;
};
struct Order {
    std::string id;
};

constexpr ErrorCode order_not_found{"order_not_found", Kind::not_found, "Order {} not found"};

constexpr Service service{"test-service"};
constexpr Endpoint<OrderId, Order> get{service, Method::get, "/orders/{id}", {.errors = {order_not_found}}};
constexpr Endpoint<LineOfOrder, Empty> remove_line{
    service, Method::delete_, "/orders/{orderId}/lines/{lineNumber}", {.success = 204}};
constexpr Endpoint<Order, Order> place{
    service, Method::post, "/orders", {.success = 201, .idempotent = true, .summary = "Places an order"}};

/// A path as a template argument.
template <std::size_t size>
struct Path {
    char text[size]{};
    constexpr Path(const char (&literal)[size]) { std::copy_n(literal, size, text); }
    constexpr std::string_view view() const { return {text, size - 1}; }
};
/// Whether an endpoint with that path compiles.
template <class Request, Path path>
constexpr bool compiles = requires {
    typename std::bool_constant<(Endpoint<Request, Empty>{Service{"test-service"}, Method::get, path.view()}, true)>;
};

/// Whether a streamed endpoint with that method and idempotency compiles.
template <class Request, Path path, Method method, bool idempotent = false>
constexpr bool streams = requires {
    typename std::bool_constant<(
        StreamedEndpoint<Request, Empty>{Service{"test-service"}, method, path.view(), {.idempotent = idempotent}},
        true)>;
};

std::vector<std::string> parameters_of(std::string_view path) {
    std::vector<std::string> names;
    detail::for_each_path_parameter(path, [&](std::string_view name) { names.emplace_back(name); });
    return names;
}

// Goal: an endpoint is constant data that knows its types' tables.
TEST(Endpoint, KeepsWhatItWasMadeOf) {
    EXPECT_EQ(get.path, "/orders/{id}");
    EXPECT_EQ(get.request, &descriptor_of<OrderId>);
    EXPECT_EQ(get.response, &descriptor_of<Order>);
    EXPECT_EQ(get.options.success, 200);
    EXPECT_EQ(get.options.errors.begin()->code, "order_not_found");
    EXPECT_EQ(get.options.errors.end() - get.options.errors.begin(), 1);
    EXPECT_TRUE(place.options.idempotent);
    EXPECT_EQ(place.options.summary, "Places an order");
    EXPECT_TRUE(remove_line.response->fields.empty());
    const EndpointInfo& info = remove_line;
    EXPECT_EQ(info.method, Method::delete_);
}

// Goal: a path parameter that is not a field of the request, by its JSON name, does not compile.
TEST(Endpoint, WrongPathParameterDoesNotCompile) {
    static_assert(compiles<OrderId, "/orders/{id}">);
    static_assert(compiles<LineOfOrder, "/orders/{orderId}/lines/{lineNumber}">);
    static_assert(compiles<OrderId, "/orders">);
    static_assert(!compiles<OrderId, "/orders/{orderId}">);
    static_assert(!compiles<LineOfOrder, "/orders/{order_id}">);
    static_assert(!compiles<Empty, "/orders/{id}">);
}

// Goal: a malformed path does not compile.
TEST(Endpoint, MalformedPathDoesNotCompile) {
    static_assert(!compiles<OrderId, "">);
    static_assert(!compiles<OrderId, "orders">);
    static_assert(!compiles<OrderId, "/orders/{}">);
    static_assert(!compiles<OrderId, "/orders/{id">);
}

// Goal: a streamed endpoint has a body and no Idempotency-Key, and its path is checked as others' are.
TEST(StreamedEndpoint, WhatCannotStreamDoesNotCompile) {
    static_assert(streams<OrderId, "/orders/{id}/scan", Method::put>);
    static_assert(streams<OrderId, "/scans", Method::post>);
    static_assert(!streams<OrderId, "/orders/{id}/scan", Method::get>);
    static_assert(!streams<OrderId, "/orders/{id}/scan", Method::delete_>);
    static_assert(!streams<OrderId, "/orders/{id}/scan", Method::put, true>);
    static_assert(!streams<OrderId, "/orders/{name}/scan", Method::put>);
    constexpr StreamedEndpoint<OrderId, Order> scan{
        service, Method::put, "/orders/{id}/scan", {.body_bytes_max = 100 << 20, .timeout = std::chrono::minutes(5)}};
    EXPECT_TRUE(scan.streamed);
    EXPECT_EQ(scan.options.body_bytes_max, 100u << 20);
    EXPECT_EQ(scan.options.timeout, std::chrono::minutes(5));
    EXPECT_FALSE(get.streamed);
}

/// Whether an endpoint that requires If-Match compiles.
template <Method method, bool versioned, int success = 200>
constexpr bool requires_match = requires {
    typename std::bool_constant<(
        Endpoint<OrderId, Order>{
            service, method, "/orders/{id}", {.success = success, .versioned = versioned, .if_match_required = true}},
        true)>;
};

// Goal: a condition is demanded only of changes of a resource that has a version.
TEST(Endpoint, IfMatchIsRequiredOfChangesOnly) {
    static_assert(requires_match<Method::patch, true> && requires_match<Method::delete_, true>);
    static_assert(requires_match<Method::post, true> && requires_match<Method::put, true, 201>);
    static_assert(!requires_match<Method::patch, false> && !requires_match<Method::get, true>);
    static_assert(!requires_match<Method::head, true> && !requires_match<Method::post, true, 201>);
}

// Goal: the parameters of a path are found in order.
TEST(Endpoint, PathParametersAreFoundInOrder) {
    EXPECT_EQ(parameters_of("/"), std::vector<std::string>{});
    EXPECT_EQ(parameters_of("/orders/{orderId}/lines/{lineNumber}"),
              (std::vector<std::string>{"orderId", "lineNumber"}));
}

// Goal: a declared code becomes an error, with its argument filled in.
TEST(ErrorCode, BecomesError) {
    const Error error = order_not_found.with("7");
    EXPECT_EQ(error.kind(), Kind::not_found);
    EXPECT_EQ(error.code(), "order_not_found");
    EXPECT_EQ(error.message(), "Order 7 not found");
    const Result<int> failed = order_not_found;
    EXPECT_EQ(failed.error().message(), "Order {} not found");
}

} // namespace
} // namespace flotilla::endpoint_test
