#include <flotilla/service/request/http_edge.hpp>

#include <flotilla/base/json.hpp>
#include <flotilla/service/binding.hpp>
#include <flotilla/service/request/preferences.hpp>
#include <flotilla/service/request/versions.hpp>

namespace flotilla {

Result<void> HttpEdge::read(void* request) {
    return bind_request(endpoint_, parameters_, exchange_.request(), request_body_, request);
}

Result<ExpectedVersion> HttpEdge::expected_version() {
    return flotilla::expected_version(exchange_.request().headers, endpoint_.options);
}

// A response type without fields has no content, whether it was made now or is read from the record.
void HttpEdge::write(void* response, std::string& json, std::int64_t version) {
    version_ = version;
    if (version > 0 && is_read(endpoint_.method)) {
        condition_ = http::check_conditions(exchange_.request().headers, {.etag = etag_of(version)}, {});
        if (condition_ != http::Condition::proceed) return;
    }
    if (!has_content(endpoint_)) return;
    if (json.empty()) {
        json::write_to(response_, *endpoint_.response, response);
    } else {
        response_ = std::move(json);
    }
}

void HttpEdge::replay(RecordedResponse recorded) {
    replayed_ = true;
    version_ = recorded.version.value_or(0);
    if (has_content(endpoint_)) response_ = std::move(recorded.json);
}

task<Result<int>> HttpEdge::respond(Context& context) {
    if (events_) {
        co_await must(events_->finish(context));
        co_return success_status(endpoint_);
    }
    if (condition_ == http::Condition::failed) co_return precondition_failed.with(std::to_string(version_));
    const bool known = condition_ == http::Condition::not_modified;
    http::ResponseHead head{.status = known ? 304 : success_status(endpoint_)};
    if (!response_.empty()) head.headers.add("content-type", "application/json");
    if (version_ > 0 && endpoint_.method != Method::put) head.headers.add_valid("etag", etag_of(version_));
    if (replayed_) head.headers.add("idempotency-replayed", "true");
    if (endpoint_.options.waits) {
        const auto* preferences = context.carried<Preferences>();
        if (preferences != nullptr && preferences->wait_s)
            head.headers.add_valid("preference-applied", "wait=" + std::to_string(*preferences->wait_s));
    }
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
