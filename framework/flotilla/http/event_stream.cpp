#include <flotilla/http/event_stream.hpp>

#include <algorithm>
#include <stdexcept>

#include <flotilla/base/ascii.hpp>

namespace flotilla::http {
namespace {

constexpr std::string_view kHeartbeat = ":\n\n";

/// The line at the front of the text, which moves behind it; a line ends with CRLF, LF or CR.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find_first_of("\r\n");
    const auto line = text.substr(0, end);
    if (end == std::string_view::npos) {
        text = {};
    } else {
        text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    return line;
}

ResponseHead head_of_stream() {
    ResponseHead head;
    head.headers.add("content-type", kEventStream);
    head.headers.add("cache-control", "no-store");
    head.headers.add("x-accel-buffering", "no"); // what nginx goes by, and who follows it
    return head;
}

} // namespace

bool is_event_stream(std::string_view content_type) {
    auto type = content_type.substr(0, content_type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t'))
        type.remove_suffix(1);
    return equal_ignoring_case(type, kEventStream);
}

void append_event(std::string& out, std::string_view id, std::string_view data) {
    if (id.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
        throw std::invalid_argument("an event's id has no CR, LF or NUL");
    if (!id.empty()) out.append("id: ").append(id) += '\n';
    while (!data.empty())
        out.append("data: ").append(take_line(data)) += '\n';
    out += '\n';
}

std::string_view EventStreamWriter::last_event_id() const {
    return exchange_.request().headers.get("last-event-id").value_or(std::string_view());
}

task<Result<void>> EventStreamWriter::send(Context& context, std::string_view id, std::string_view data) {
    append_event(gathered_, id, data);
    if (gathered_.size() >= kGatheredBytesMax) co_return co_await flush(context);
    co_return Result<void>();
}

task<Result<void>> EventStreamWriter::wait(Context& context, Event& news) {
    co_await must(flush(context));
    if (exchange_.request().method == Method::head) co_return Error(Kind::cancelled, "HEAD is answered without events");
    while (true) {
        Context silence(context, options_.heartbeat);
        auto woken = co_await news.wait(silence);
        if (woken || context.cancelled()) co_return woken;
        gathered_ = kHeartbeat;
        co_await must(flush(context));
    }
}

task<Result<void>> EventStreamWriter::finish(Context& context) {
    co_await must(flush(context));
    co_return co_await exchange_.finish(context);
}

task<Result<void>> EventStreamWriter::flush(Context& context) {
    co_await must(context.check()); // a write that is cancelled breaks the stream
    Context patience(context, options_.reader_timeout);
    if (!begun()) {
        exchange_.end_with_client();
        co_await must(exchange_.send(patience, head_of_stream(), BodySize::unknown()));
    }
    if (gathered_.empty()) co_return Result<void>();
    auto written = co_await exchange_.write(patience, gathered_);
    gathered_.clear();
    co_return written;
}

} // namespace flotilla::http
