#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flotilla/aio/context.hpp>
#include <flotilla/aio/task.hpp>
#include <flotilla/contract/endpoint.hpp>
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
    /// Takes the response, of the endpoint's response type, out of its place. `json`: its text, where that has been
    /// made already; else empty.
    virtual void write(void* response, std::string& json) = 0;
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

/// The functions that serve an Endpoint<Request, Response>; `Answer` is Response, or Recorded<Response> where the
/// endpoint is declared idempotent.
template <class Function, class Request, class Answer>
concept Serves = std::is_invocable_r_v<task<Result<Answer>>, Function&, Context&, Request>;
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
            give(edge, co_await must(function_(context, std::move(request), edge.body())));
        } else {
            give(edge, co_await must(function_(context, std::move(request))));
        }
        co_return Result<void>();
    }

private:
    static void give(EndpointEdge& edge, Response response) {
        std::string not_yet;
        edge.write(&response, not_yet);
    }
    static void give(EndpointEdge& edge, Recorded<Response> answer) { edge.write(&answer.value(), answer.json()); }

    Function function_;
};

} // namespace detail
} // namespace flotilla
