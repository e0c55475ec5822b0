#include <flotilla/service/request/http_edge.hpp>

#include <flotilla/base/json.hpp>
#include <flotilla/service/binding.hpp>

namespace flotilla {

Result<void> HttpEdge::read(void* request) {
    return bind_request(endpoint_, parameters_, exchange_.request(), request_body_, request);
}

// A response type without fields has no content, whether it was made now or is read from the record.
void HttpEdge::write(void* response, std::string& json) {
    if (!has_content(endpoint_)) return;
    if (json.empty()) {
        json::write_to(response_, *endpoint_.response, response);
    } else {
        response_ = std::move(json);
    }
}

void HttpEdge::replay(std::string json) {
    replayed_ = true;
    if (has_content(endpoint_)) response_ = std::move(json);
}

task<Result<int>> HttpEdge::respond(Context& context) {
    if (events_) {
        co_await must(events_->finish(context));
        co_return success_status(endpoint_);
    }
    http::ResponseHead head{.status = success_status(endpoint_)};
    if (!response_.empty()) head.headers.add("content-type", "application/json");
    if (replayed_) head.headers.add("idempotency-replayed", "true");
    co_await must(exchange_.respond(context, head, response_));
    co_return head.status;
}

task<Result<void>> HttpEdge::Events::send(Context& context, std::string id, std::string json) {
    co_return co_await writer_.send(context, id, json);
}

std::optional<std::uint64_t> HttpEdge::Stream::size() const {
    const auto size = exchange_.request_body_size();
    if (size.framing == http::BodySize::Framing::unknown) return std::nullopt;
    return size.bytes;
}

std::string_view HttpEdge::Stream::content_type() const {
    return exchange_.request().headers.get("content-type").value_or(std::string_view());
}

} // namespace flotilla
