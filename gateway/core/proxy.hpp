#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <flotilla/http/exchange.hpp>
#include <flotilla/node/lasting_answers.hpp>
#include <flotilla/resilience/target_call.hpp>

#include "gateway/core/forwarding.hpp"
#include "gateway/core/route_table.hpp"

namespace flotilla::gateway {

/// Request bodies up to this size are taken in before an upstream is asked, so that the request can be sent again.
/// Of longer ones so much is taken in before an upstream connection is, which a client that sends nothing cannot hold.
inline constexpr std::size_t kBufferedBytesMax = 64 * 1024;

/// Passes a request on to a service and its answer back, status and body unchanged.
/// Bodies are streamed both ways at once, piece by piece: a slow reader on one side slows the other side down. An
/// answer that comes while the request is still being sent is passed on at once, and its end ends the upload. A stream
/// of events goes on as long as its route's timeout, and ends in good order when the gateway stops.
/// Thread-safety: none; one per loop.
class Proxy {
public:
    Proxy(Targets& targets, LastingAnswers& lasting) : targets_(targets), lasting_(lasting) {}

    /// The status that was sent. An answer that breaks off in the middle resets the exchange.
    /// Errors: what to answer while nothing has been sent; upstream_error() has those of upstreams. `cancelled` when
    /// the client has gone.
    task<Result<int>> forward(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                              const ProxyAction& action);

private:
    // Heads keep their memory from request to request.
    struct Heads {
        http::RequestHead request;
        http::ResponseHead response;
    };
    class BorrowedHeads;

    enum class Failed : unsigned char { nothing, client, upstream };
    struct Relayed {
        Failed failed = Failed::nothing;
        std::optional<Error> error = {};
        int status = 0; ///< of the answer, once its head had come
    };
    struct Upload {
        std::string_view begun; // of the body: read before there was a connection
        std::optional<Error> client_error;
    };

    task<Result<int>> forward_whole(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                    const ProxyAction& action, Heads& heads);
    task<Result<int>> forward_streamed(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                       const ProxyAction& action, Heads& heads);
    task<Relayed> relay_during_upload(Context& context, http::Exchange& exchange, const RequestFacts& facts,
                                      TargetCall& call, Heads& heads, std::string_view begun);
    static task<void> upload(Context& context, http::Exchange& from, http::ClientExchange& to, Upload& upload);
    task<Relayed> relay(Context& context, http::Exchange& exchange, http::ClientExchange& from,
                        const http::ResponseHead& answer, std::string_view request_id, http::ResponseHead& head);
    task<Relayed> relay_events(Context& context, http::Exchange& exchange, http::ClientExchange& from,
                               const http::ResponseHead& upstream_head);
    static task<Relayed> relay_body(Context& context, http::Exchange& exchange, http::ClientExchange& from,
                                    const http::ResponseHead& upstream_head, std::string_view piece);
    static Result<int> finished(Context& context, http::Exchange& exchange, const std::string& service,
                                const TargetCall& call, Relayed relayed, int status);

    Targets& targets_;
    LastingAnswers& lasting_;
    std::vector<std::unique_ptr<Heads>> spare_heads_;
};

} // namespace flotilla::gateway
