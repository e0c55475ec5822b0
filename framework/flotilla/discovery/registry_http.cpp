#include <flotilla/discovery/registry_http.hpp>

#include <flotilla/discovery/registry_errors.hpp>

namespace flotilla {
namespace {

constexpr std::size_t kLineBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kQuotedMax = 200; ///< of a refusal's body
constexpr std::size_t kRefusalBytesMax = 64 * 1024;

} // namespace

Error refusal(const http::Response& response) {
    std::string text = "the registry answered " + std::to_string(response.status());
    if (!response.body.empty()) text += ": " + response.body.substr(0, kQuotedMax);
    if (response.status() == 410) return Error(Kind::unavailable, "registry_gone", std::move(text));
    return refused_by_registry(std::move(text));
}

http::Request RegistryHttp::request_to(const Address& server, Method method, std::string target,
                                       std::string body) const {
    http::Request request;
    request.head.method = method;
    request.head.method_name = name(method);
    request.head.target = std::move(target);
    request.head.authority = server.to_string();
    for (const auto& [name, value] : fields_)
        request.head.headers.add(name, value);
    if (!body.empty()) request.head.headers.add("Content-Type", "application/json");
    request.body = std::move(body);
    return request;
}

/// Several calls may have been under way: only the first of those that fail moves on.
void RegistryHttp::note(const Address& asked, bool answered) {
    if (!answered && servers_[current_] == asked) current_ = (current_ + 1) % servers_.size();
}

task<Result<http::Response>> RegistryHttp::call(Context& context, Method method, std::string target, std::string body,
                                                Duration timeout) {
    Context limited(context, timeout);
    const auto server = servers_[current_];
    auto response =
        co_await http_.fetch(limited, server, request_to(server, method, std::move(target), std::move(body)));
    if (!context.cancelled()) note(server, response.has_value());
    co_return response;
}

task<Result<std::unique_ptr<http::ClientExchange>>> RegistryHttp::stream(Context& context, Method method,
                                                                         std::string target, std::string body) {
    Context limited(context, kCallTimeout);
    const auto server = servers_[current_];
    const auto request = request_to(server, method, std::move(target), std::move(body));
    while (true) {
        auto opened = co_await http_.open(limited, server);
        if (!opened) {
            if (!context.cancelled()) note(server, false);
            co_return std::move(opened.error());
        }
        auto& exchange = **opened;
        auto sent = co_await exchange.send_whole(limited, request.head, request.body);
        const auto head = sent ? co_await exchange.receive(limited) : Result<const http::ResponseHead*>(sent.error());
        if (head && (*head)->status == 200) co_return std::move(*opened);
        if (head) {
            http::Response response{**head, {}};
            while (response.body.size() < kRefusalBytesMax) {
                const auto piece = co_await must(exchange.read(limited));
                if (piece.empty()) break;
                response.body.append(piece);
            }
            co_return refusal(response);
        }
        // One that comes from the pool may have been closed meanwhile; so may the others there.
        if (context.cancelled() || limited.cancelled() || !exchange.may_be_stale()) {
            if (!context.cancelled()) note(server, false);
            co_return head.error();
        }
        http_.close_idle(&server);
    }
}

task<Result<std::optional<std::string>>> LineReader::next(Context& context) {
    while (true) {
        const auto end = held_.find('\n', looked_at_);
        if (end != held_.npos) {
            auto line = held_.substr(0, end);
            held_.erase(0, end + 1);
            looked_at_ = 0;
            if (line.empty()) continue;
            co_return line;
        }
        looked_at_ = held_.size();
        if (held_.size() > kLineBytesMax)
            co_return Error(Kind::bad_gateway, "bad_registry_answer", "the registry's watch sends a line without end");
        const auto piece = co_await must(exchange_.read(context));
        if (piece.empty()) co_return std::optional<std::string>();
        held_.append(piece);
    }
}

} // namespace flotilla
