#pragma once

#include <flotilla/http/client.hpp>

namespace flotilla {

/// HTTP to one registry, which may have several servers: when one cannot be asked, the next call goes to the next.
/// Thread-safety: none. Every call is bounded in time.
class RegistryHttp {
public:
    static constexpr Duration kCallTimeout = std::chrono::seconds(2);
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// fields: sent with every request. Requires: there is a server.
    RegistryHttp(http::Client& http, std::vector<Address> servers, Fields fields = {})
        : http_(http), servers_(std::move(servers)), fields_(std::move(fields)) {}

    /// Any status is a value. body: JSON, or empty for none.
    task<Result<http::Response>> call(Context& context, Method method, std::string target, std::string body = {},
                                      Duration timeout = kCallTimeout);

    /// Begins an answer that has no end, a watch. Errors: as call(); that of refusal() when the status is not 200.
    task<Result<std::unique_ptr<http::ClientExchange>>> stream(Context& context, Method method, std::string target,
                                                               std::string body = {});
    /// For headers that change (a token that is renewed).
    void set_fields(Fields fields) { fields_ = std::move(fields); }

private:
    http::Request request_to(const Address& server, Method method, std::string target, std::string body) const;
    void note(const Address& asked, bool answered);

    http::Client& http_;
    std::vector<Address> servers_;
    Fields fields_;
    std::size_t current_ = 0;
};

/// The lines of such an answer.
class LineReader {
public:
    explicit LineReader(http::ClientExchange& exchange) : exchange_(exchange) {}
    /// The next line that is not empty; nullopt at the end. Errors: the exchange's; bad_gateway when a line is longer
    /// than 8 MiB.
    task<Result<std::optional<std::string>>> next(Context& context);

private:
    http::ClientExchange& exchange_;
    std::string held_;
    std::size_t looked_at_ = 0;
};

/// What a status that is not the expected one means: unavailable `registry_refused`, or `registry_gone` (410) when the
/// beginning of a watch is no longer kept.
Error refusal(const http::Response& response);

} // namespace flotilla
