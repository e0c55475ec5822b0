#pragma once

#include <string>
#include <string_view>

#include <flotilla/http/conditions.hpp>
#include <flotilla/http/exchange.hpp>
#include <flotilla/http/router.hpp>
#include <flotilla/service/endpoint_core.hpp>

namespace flotilla {

/// One call of an endpoint over HTTP: the request is bound from path, query and JSON body, the response becomes JSON.
/// Lives in the frame of whoever handles the request. Thread-safety: none.
class HttpEdge final : public EndpointEdge {
public:
    /// `body`: of the request, where the endpoint takes JSON; what a streamed endpoint gets is still in the exchange.
    HttpEdge(const EndpointInfo& endpoint, http::Exchange& exchange, const http::PathParameters& parameters,
             std::string body)
        : endpoint_(endpoint), exchange_(exchange), parameters_(parameters), request_body_(std::move(body)),
          stream_(exchange) {}

    Result<void> read(void* request) override;
    Result<ExpectedVersion> expected_version() override;
    void write(void* response, std::string& json, std::int64_t version) override;
    BodyStream& body() override { return stream_; }

    const http::RequestHead& request() const { return exchange_.request(); }
    std::string_view request_body() const { return request_body_; }

    /// The response that was recorded for an earlier request with the same key.
    void replay(RecordedResponse recorded);
    /// Sends the response. Returns its status. Errors: as Exchange::respond; invalid `precondition_failed` when a read
    /// has conditions that the resource's version does not meet. Requires: write() or replay().
    task<Result<int>> respond(Context& context);

private:
    class Stream final : public BodyStream {
    public:
        explicit Stream(http::Exchange& exchange) : exchange_(exchange) {}
        task<Result<std::string_view>> read(Context& context) override { return exchange_.read(context); }
        std::optional<std::uint64_t> size() const override;
        std::string_view content_type() const override;

    private:
        http::Exchange& exchange_;
    };

    const EndpointInfo& endpoint_;
    http::Exchange& exchange_;
    const http::PathParameters& parameters_;
    std::string request_body_;
    Stream stream_;
    std::string response_;
    std::int64_t version_ = 0;
    http::Condition condition_ = http::Condition::proceed;
    bool replayed_ = false;
};

} // namespace flotilla
