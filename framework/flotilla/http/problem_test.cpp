#include <flotilla/http/problem.hpp>

#include <gtest/gtest.h>

namespace flotilla::http::problem_test {
namespace {

using namespace std::chrono_literals;

// Goal: the members clients rely on, in one golden document.
TEST(Problem, ErrorWithFieldsBecomesTheWholeDocument) {
    const auto error = Error(Kind::invalid, "invalid_request", "2 fields \"are\" bad")
                           .with_field("items[0].quantity", "expected 1..1000, found 0");
    EXPECT_EQ(
        problem_json(error, "/orders", "abc"),
        R"({"type":"urn:flotilla:error:invalid_request","title":"Bad Request","status":400,"detail":"2 fields \"are\" bad",)"
        R"("code":"invalid_request","error":"2 fields \"are\" bad",)"
        R"("errors":[{"path":"items[0].quantity","message":"expected 1..1000, found 0"}],"instance":"/orders","traceId":"abc"})");
}

// Goal: an error without a code of its own has no type of its own (RFC 9457 §4.2.1).
TEST(Problem, PlainErrorIsAboutBlank) {
    EXPECT_EQ(
        problem_json(Error(Kind::not_found, "User not found"), {}),
        R"({"type":"about:blank","title":"Not Found","status":404,"detail":"User not found","code":"not_found","error":"User not found"})");
}

// Goal: internal errors tell the outside nothing.
TEST(Problem, InternalErrorKeepsItsSecret) {
    const auto text = problem_json(Error(Kind::internal, "sql_broken", "table users"), {}, "abc");
    EXPECT_EQ(text.find("users"), std::string::npos) << text;
    EXPECT_EQ(text.find("sql_broken"), std::string::npos) << text;
    EXPECT_NE(text.find("\"traceId\":\"abc\""), std::string::npos) << text;
}

// Goal: Retry-After is there where callers should come back, in whole seconds, rounded up.
TEST(Problem, HeadersSayWhenToRetryAndWhatIsAllowed) {
    const auto retry_after = [](const Error& error) {
        Headers headers;
        add_problem_headers(headers, error);
        return std::string(headers.get("Retry-After").value_or("none"));
    };
    EXPECT_EQ(retry_after(Error(Kind::unavailable, "x")), "1");
    EXPECT_EQ(retry_after(Error(Kind::exhausted, "x").with_retry_after(1500ms)), "2");
    EXPECT_EQ(retry_after(Error(Kind::conflict, "x").with_retry_after(3s)), "3");
    EXPECT_EQ(retry_after(Error(Kind::invalid, "x")), "none");
    Headers headers;
    add_problem_headers(headers, Error(Kind::method_not_allowed, "x"), "GET, HEAD");
    EXPECT_EQ(headers.get("allow"), "GET, HEAD");
}

// Goal: statuses that no kind has.
TEST(Problem, SomeCodesHaveAStatusOfTheirOwn) {
    EXPECT_EQ(status_of(Error(Kind::invalid, "misdirected_request", "x")), 421);
    EXPECT_EQ(status_of(Error(Kind::bad_gateway, "loop_detected", "x")), 508);
    EXPECT_EQ(reason_phrase(508), "Loop Detected");
}

// Goal: behind a proxy that rewrites paths, the path is the client's, as long as what the proxy says is one.
TEST(Problem, AskedPathIsTheClients) {
    RequestHead request;
    request.target = "/users/1?a=b";
    EXPECT_EQ(asked_path(request), "/users/1");
    const auto with = [&](std::string_view forwarded) {
        request.headers.set("X-Forwarded-Path", forwarded);
        return std::string(asked_path(request));
    };
    EXPECT_EQ(with("/api/users/1"), "/api/users/1");
    for (const auto* bad : {"", "users", "http://evil.example/", "/a?b=c", "/a b", "/a\"b", "/\xc3\xa9", "/a#b"})
        EXPECT_EQ(with(bad), "/users/1") << bad;
    EXPECT_EQ(with("/" + std::string(kForwardedPathBytesMax, 'a')), "/users/1");
}

// Goal: an error survives the way over the wire.
TEST(Problem, ErrorComesBackFromItsDocument) {
    const auto error =
        Error(Kind::exhausted, "quota_used", "too many").with_field("a", "b").with_field("c", "d").with_retry_after(7s);
    Response response;
    response.head.status = status_of(error);
    add_problem_headers(response.head.headers, error);
    response.body = problem_json(error, "/x", "abc");
    EXPECT_EQ(error_from_problem(response), error);
}

// Goal: other people's errors are understood as far as they go.
TEST(Problem, ForeignBodiesAreTolerated) {
    const auto read = [](int status, std::string body, std::string type = "application/json") {
        Response response;
        response.head.status = status;
        response.head.headers.add("Content-Type", type);
        response.body = std::move(body);
        return error_from_problem(response);
    };
    EXPECT_EQ(read(404, R"({"error":"User not found"})").message(), "User not found");
    EXPECT_EQ(read(404, R"({"error":"User not found"})").kind(), Kind::not_found);
    EXPECT_EQ(read(400, R"({"title":"Bad","errors":{"x":["y"]},"code":7})").message(), "Bad");
    EXPECT_EQ(read(400, R"({"title":"Bad","errors":{"x":["y"]},"code":7})").code(), "invalid");
    EXPECT_EQ(read(502, "<html>").message(), "the answer was 502 Bad Gateway");
    EXPECT_EQ(read(503, "overload", "text/plain").message(), "overload");
    EXPECT_EQ(read(500, "[1").kind(), Kind::internal);
    EXPECT_EQ(read(599, "").message(), "the answer was 599");
}

} // namespace
} // namespace flotilla::http::problem_test
