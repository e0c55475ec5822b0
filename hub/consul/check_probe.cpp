#include "hub/consul/check_probe.hpp"

#include <flotilla/aio/stream.hpp>

#include "hub/consul/check_output.hpp"

namespace flotilla::hub::consul {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(10); // Consul's default
constexpr std::string_view kScheme = "http://";

struct Target {
    Address address;
    std::string authority;
    std::string path;
};

Result<Target> parse_url(std::string_view url) {
    url.remove_prefix(kScheme.size()); // definitions.cpp takes no other
    Target target;
    const auto end = url.find_first_of("/?#");
    target.authority = url.substr(0, end);
    if (end != std::string_view::npos) target.path = url.substr(end, url.find('#') - end);
    if (!target.path.starts_with('/')) target.path.insert(0, 1, '/');
    const bool has_port = target.authority.find(':', target.authority.starts_with('[') ? target.authority.find(']')
                                                                                       : 0) != std::string::npos;
    auto address = Address::parse(has_port ? target.authority : target.authority + ":80");
    if (!address) return std::move(address.error());
    target.address = std::move(*address);
    return target;
}

task<Result<ProbeOutcome>> probe_http(Context& context, http::Client& http, const CheckDefinition& check) {
    auto target = co_await must(parse_url(check.http));
    http::Request request;
    request.head.method_name = check.method.empty() ? "GET" : check.method;
    request.head.method = parse_method(request.head.method_name);
    request.head.target = std::move(target.path);
    request.head.authority = std::move(target.authority);
    request.head.headers.add("User-Agent", "Consul Health Check");
    request.head.headers.add("Accept", "text/plain, text/*, */*");
    for (const auto& header : check.headers)
        request.head.headers.set(header.name, header.value);
    request.body = check.body;
    const auto method = request.head.method_name;
    auto response = co_await must(http.fetch(context, std::move(target.address), std::move(request)));
    const auto status = response.status();
    ProbeOutcome outcome;
    outcome.status = status >= 200 && status < 300 ? CheckStatus::passing
                     : status == 429               ? CheckStatus::warning
                                                   : CheckStatus::critical;
    outcome.output = "HTTP " + method + " " + check.http + ": " + std::to_string(status) + " " +
                     std::string(http::reason_phrase(status)) + " Output: " + response.body;
    co_return outcome;
}

task<Result<ProbeOutcome>> probe_tcp(Context& context, const CheckDefinition& check) {
    auto address = co_await must(Address::parse(check.tcp));
    co_await must(context.world().connect(context, std::move(address)));
    co_return ProbeOutcome{CheckStatus::passing, "TCP connect " + check.tcp + ": Success"};
}

} // namespace

task<ProbeOutcome> probe(Context& context, http::Client& http, CheckDefinition check) {
    Context limited(context, check.timeout > Duration::zero() ? check.timeout : kTimeout);
    Result<ProbeOutcome> outcome;
    if (check.type == CheckType::tcp) {
        outcome = co_await probe_tcp(limited, check);
    } else {
        outcome = co_await probe_http(limited, http, check);
    }
    if (!outcome)
        co_return ProbeOutcome{CheckStatus::critical,
                               captured_output(outcome.error().message(), check.output_bytes_max)};
    outcome->output = captured_output(std::move(outcome->output), check.output_bytes_max);
    co_return std::move(*outcome);
}

} // namespace flotilla::hub::consul
