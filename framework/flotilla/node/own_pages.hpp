#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/http/exchange.hpp>
#include <flotilla/node/health.hpp>
#include <flotilla/observe/metrics.hpp>

namespace flotilla {

/// Those that every program has.
inline constexpr std::array<std::string_view, 4> kOwnPagePaths{"/livez", "/readyz", "/healthz", "/metrics"};

/// Who answers.
struct Identity {
    std::string service;  ///< "order-service"
    std::string instance; ///< "order-service-3002"
    std::string version;  ///< "0.1.0"
};

/// Gives status and checks, as they are now.
using HealthSource = std::function<HealthReport()>;

/// What an own page that does something is asked.
struct OwnRequest {
    Method method;
    std::string query; ///< after '?', as it came
    std::string body;  ///< JSON; empty: none
};
/// Answers with JSON, or an error, which becomes problem+json.
using OwnAnswer = std::function<task<Result<std::string>>(Context&, OwnRequest)>;

/// The pages that every program answers itself, whatever the state of the rest:
/// - /livez: 200 while the loop turns;
/// - /readyz: 200 while the instance serves, 503 when it is unavailable;
/// - /healthz: 200 only when nothing fails, 503 otherwise;
/// - /metrics: Prometheus' text;
/// - what the program adds: documents, such as its contracts, pages, such as /targetz, and operations on the program,
///   such as /sagaz/retry.
/// The first three have a HealthReport as their body. Thread-safety: none; one per loop.
class OwnPages {
public:
    /// The metrics must outlive it. An instance that is not known yet is set later.
    OwnPages(Identity identity, HealthSource health, const Metrics& metrics);

    void set_instance(std::string instance) { identity_.instance = std::move(instance); }
    /// Adds a document, or replaces its text: the path may be claimed before the text can be written.
    void add_document(std::string path, std::string content_type, std::string text);
    /// Adds a page whose text is made for each request, or replaces it.
    void add_page(std::string path, std::string content_type, std::function<std::string()> text);
    /// Adds a page that answers one method with JSON, or the error. A POST brings JSON and says so by its content type,
    /// which keeps other sites' forms out.
    void add_operation(std::string path, Method method, OwnAnswer answer);

    /// All paths, to be routed, and that nothing else may take. Valid until the next is added.
    std::span<const std::string> paths() const { return paths_; }
    bool has(std::string_view path) const;
    /// Pages answer GET and HEAD, operations their method, anything else with 405. Nothing is to be stored by caches.
    /// Requires: has(path), or "*", which OPTIONS asks about the server itself (RFC 9110 §9.3.7).
    task<void> answer(Context& context, http::Exchange& exchange, std::string_view path);

private:
    struct Page {
        int status = 200;
        std::string_view content_type;
        std::string body;
    };
    struct Added {
        std::string path;
        std::string content_type;
        std::function<std::string()> text;
    };
    struct Operation {
        std::string path;
        Method method;
        OwnAnswer answer;
    };
    static task<void> carry_out(Context& context, http::Exchange& exchange, const Operation& operation);
    static task<Result<std::string>> outcome_of(Context& context, http::Exchange& exchange, const Operation& operation);
    Page page_of(std::string_view path) const;
    Page health_page(std::string_view path) const;

    Identity identity_;
    HealthSource health_;
    const Metrics& metrics_;
    std::vector<std::string> paths_;
    std::vector<Added> added_;
    std::vector<Operation> operations_;
};

} // namespace flotilla
