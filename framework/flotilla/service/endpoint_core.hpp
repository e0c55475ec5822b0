#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/task.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/contract/versioned.hpp>
#include <flotilla/store/changed.hpp>
#include <flotilla/store/idempotency.hpp>

namespace flotilla {

/// The body of a streamed endpoint's request, while its handler runs: bytes of any content type, piece by piece. What a
/// handler leaves unread is drained when it is small, else the connection ends after the answer.
/// Thread-safety: none; belongs to its loop.
class BodyStream {
public:
    BodyStream() = default;
    BodyStream(const BodyStream&) = delete;
    BodyStream& operator=(const BodyStream&) = delete;

    /// The next piece (64 KiB at most, whatever the body's size); empty at the end. Valid until the next call. Reading
    /// nothing makes the sender wait. Errors: too_large (past the endpoint's limit), invalid (bad framing, or too
    /// slow), unavailable (the sender has gone), the context's reason. Pass them on: such a body is not whole.
    virtual task<Result<std::string_view>> read(Context& context) = 0;
    /// The size the sender announced; nothing when it is known only at the end.
    virtual std::optional<std::uint64_t> size() const = 0;
    /// The media type the sender gave; empty when it gave none.
    virtual std::string_view content_type() const = 0;

protected:
    ~BodyStream() = default;
};

/// Where one call of an endpoint comes from and where its response goes, in some protocol: HTTP has one
/// (http_edge.hpp); a call inside the process, gRPC and GraphQL bind to the same core with others. Lives for one call.
class EndpointEdge {
public:
    EndpointEdge() = default;
    EndpointEdge(const EndpointEdge&) = delete;
    EndpointEdge& operator=(const EndpointEdge&) = delete;

    /// Fills a fresh request of the endpoint's request type. Errors: invalid, naming every bad field.
    virtual Result<void> read(void* request) = 0;
    /// Which versions of the resource the caller means to change, where the endpoint changes a versioned one. Errors:
    /// invalid `precondition_required`.
    virtual Result<ExpectedVersion> expected_version() = 0;
    /// Takes the response, of the endpoint's response type, out of its place. `json`: its text, where that has been
    /// made already; else empty. `version`: of a versioned resource; 0: none.
    virtual void write(void* response, std::string& json, std::int64_t version) = 0;
    /// The rest of a streamed endpoint's request.
    virtual BodyStream& body() = 0;

protected:
    ~EndpointEdge() = default;
};

/// An endpoint with the method that serves it: decoded request in, response out. It knows no protocol.
class EndpointCore {
public:
    explicit EndpointCore(const EndpointInfo& endpoint) : info(endpoint) {}
    virtual ~EndpointCore() = default;
    /// Reads the request from the edge, calls the method, and gives the response to the edge. Errors: the edge's, the
    /// method's; what the method throws leaves through the await.
    virtual task<Result<void>> call(Context& context, EndpointEdge& edge) = 0;
    const EndpointInfo info;
};

/// What the answer of an endpoint's method is beside the response.
struct AnswerForm {
    bool recorded = false;  ///< under the request's Idempotency-Key
    bool versioned = false; ///< it tells the resource's version
    bool changed = false;   ///< and is of a change that looked at the expected one
};

/// `Answer` is Response, Versioned<Response> or Changed<Response>, or one of these in a Recorded<...>.
template <class Answer>
struct AnswerTraits {
    using Response = Answer;
    static constexpr AnswerForm form = {};
};
template <class T>
struct AnswerTraits<Versioned<T>> {
    using Response = T;
    static constexpr AnswerForm form = {.versioned = true};
};
template <class T>
struct AnswerTraits<Changed<T>> {
    using Response = T;
    static constexpr AnswerForm form = {.versioned = true, .changed = true};
};
template <class Answer>
struct AnswerTraits<Recorded<Answer>> {
    using Response = AnswerTraits<Answer>::Response;
    static constexpr AnswerForm form = {true, AnswerTraits<Answer>::form.versioned, AnswerTraits<Answer>::form.changed};
};

namespace detail {
template <class T>
struct AnswerOfTask {
    using type = void;
};
template <class Answer>
struct AnswerOfTask<task<Result<Answer>>> {
    using type = Answer;
};
template <class Function, class Request>
consteval auto answer_of() {
    if constexpr (std::is_invocable_v<Function&, Context&, Request, ExpectedVersion>)
        return AnswerOfTask<std::invoke_result_t<Function&, Context&, Request, ExpectedVersion>>();
    else if constexpr (std::is_invocable_v<Function&, Context&, Request>)
        return AnswerOfTask<std::invoke_result_t<Function&, Context&, Request>>();
    else
        return AnswerOfTask<void>();
}
} // namespace detail

/// What a function answers an endpoint's request with; void: it is no function that serves one.
template <class Function, class Request>
using AnswerOf = decltype(detail::answer_of<Function, Request>())::type;

/// The functions `task<Result<Answer>> (Context&, Request)` that serve an Endpoint<Request, Response>; those that
/// change a versioned resource take the ExpectedVersion behind it, and no others do.
template <class Function, class Request, class Response>
concept Serves = std::same_as<typename AnswerTraits<AnswerOf<Function, Request>>::Response, Response> &&
                 AnswerTraits<AnswerOf<Function, Request>>::form.changed ==
                     std::is_invocable_v<Function&, Context&, Request, ExpectedVersion>;
/// The functions that serve a StreamedEndpoint<Request, Response>.
template <class Function, class Request, class Response>
concept ServesStream = std::is_invocable_r_v<task<Result<Response>>, Function&, Context&, Request, BodyStream&>;

namespace detail {

template <class Request, class Response, class Function>
class TypedEndpoint final : public EndpointCore {
public:
    TypedEndpoint(const EndpointInfo& endpoint, Function function)
        : EndpointCore(endpoint), function_(std::move(function)) {}

    task<Result<void>> call(Context& context, EndpointEdge& edge) override {
        Request request{};
        co_await must(edge.read(&request));
        if constexpr (ServesStream<Function, Request, Response>) {
            auto response = co_await must(function_(context, std::move(request), edge.body()));
            give(edge, response);
        } else if constexpr (AnswerTraits<AnswerOf<Function, Request>>::form.changed) {
            auto expected = co_await must(edge.expected_version());
            auto answer = co_await must(function_(context, std::move(request), std::move(expected)));
            give(edge, answer);
        } else {
            auto answer = co_await must(function_(context, std::move(request)));
            give(edge, answer);
        }
        co_return Result<void>();
    }

private:
    static void give(EndpointEdge& edge, Response& response, std::string json = {}) { edge.write(&response, json, 0); }
    static void give(EndpointEdge& edge, Versioned<Response>& now, std::string json = {}) {
        edge.write(&now.value, json, now.version);
    }
    static void give(EndpointEdge& edge, Changed<Response>& now, std::string json = {}) {
        edge.write(&now.value(), json, now.version());
    }
    template <class Answer>
    static void give(EndpointEdge& edge, Recorded<Answer>& answer) {
        give(edge, answer.value(), std::move(answer.json()));
    }

    Function function_;
};

} // namespace detail
} // namespace flotilla
