#include <flotilla/discovery/kubernetes/kubernetes_driver.hpp>

#include <fstream>
#include <sstream>

#include <flotilla/aio/offload.hpp>
#include <flotilla/discovery/kubernetes/endpoint_slices.hpp>
#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {
namespace {

constexpr std::string_view kParameters[] = {"port", "token_file"};
constexpr std::string_view kDefaultNamespace = "default";
constexpr std::chrono::seconds kWatchTime{30};
/// What the server may take beyond the time it was asked to watch for.
constexpr Duration kWatchGrace = std::chrono::seconds(5);

Result<std::string> read_token(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    auto token = text.str();
    while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ')
        token.pop_back();
    for (const char c : token) {
        if (c <= ' ' || c > '~') token.clear();
    }
    if (token.empty()) return Error(Kind::unavailable, "there is no token in " + file);
    return token;
}

} // namespace

struct KubernetesDriver::Followed {
    std::string slices; ///< the path and query that list them
    EndpointSlices state;
    bool expired = false; ///< list again
};

Result<std::unique_ptr<RegistryDriver>> KubernetesDriver::open(const DriverSetup& setup) {
    const auto& url = setup.url;
    constexpr std::string_view kExample = "kubernetes+http://HOST[:PORT]/[NAMESPACE][?port=NAME&token_file=PATH]";
    if (auto fits = url.check({.example = kExample, .path = true, .parameters = kParameters}); !fits)
        return std::move(fits.error());
    Options options{.name_space = url.path.empty() ? std::string(kDefaultNamespace) : url.path,
                    .port = url.parameter("port"),
                    .token_file = url.parameter("token_file")};
    return std::unique_ptr<RegistryDriver>(
        new KubernetesDriver(setup.world, {setup.http, url.servers, {{"Accept", "application/json"}}}, options));
}

Result<std::unique_ptr<RegistryDriver>> KubernetesDriver::refuse_tls(const DriverSetup& setup) {
    return setup.url.refused("calls to a registry have no TLS yet, which the API server wants: run `kubectl proxy` "
                             "beside this program, and say kubernetes+http://127.0.0.1:8001/NAMESPACE");
}

/// Kubernetes renews the file every hour.
task<Result<void>> KubernetesDriver::renew_token(Context& context) {
    if (options_.token_file.empty()) co_return Result<void>();
    const auto token = co_await must(offload(context, [file = options_.token_file] { return read_token(file); }));
    server_.set_fields({{"Accept", "application/json"}, {"Authorization", "Bearer " + token}});
    co_return Result<void>();
}

task<Result<void>> KubernetesDriver::list(Context& context, WatchedService& service, Followed& followed) {
    co_await must(renew_token(context));
    const auto response = co_await must(server_.call(context, Method::get, followed.slices));
    if (response.status() != 200) co_return refusal(response);
    co_await must(followed.state.take_list(response.body));
    followed.expired = false;
    service.take(followed.state.instances());
    co_return Result<void>();
}

task<Result<void>> KubernetesDriver::watch(Context& context, WatchedService& service, Followed& followed) {
    const auto begun_at = world_.monotonic();
    co_await must(renew_token(context));
    const auto exchange = co_await must(server_.stream(
        context, Method::get,
        followed.slices + "&watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(kWatchTime.count()) +
            "&resourceVersion=" + http::percent_encode(followed.state.resource_version())));
    LineReader lines(*exchange);
    Context living(context, kWatchTime + kWatchGrace);
    while (!followed.expired) {
        auto line = co_await lines.next(living);
        if (living.cancelled() && !context.cancelled()) break;
        const auto text = co_await must(std::move(line));
        if (!text) break;
        const auto news = co_await must(followed.state.take_event(*text));
        followed.expired = news == EndpointSlices::News::expired;
        if (news == EndpointSlices::News::changed) service.take(followed.state.instances());
    }
    // A server that ends each watch at once is not asked more often than this.
    if (world_.monotonic() - begun_at < kAskingPace)
        co_await must(sleep_for(context, jittered(world_, kAskingPace, 0.5)));
    co_return Result<void>();
}

task<Result<void>> KubernetesDriver::follow(Context& context, WatchedService& service) {
    const auto& name = service.name();
    const auto& name_space = name.name_space.empty() ? options_.name_space : name.name_space;
    Followed followed{
        .slices = "/apis/discovery.k8s.io/v1/namespaces/" + http::percent_encode(name_space) +
                  "/endpointslices?labelSelector=" + http::percent_encode("kubernetes.io/service-name=" + name.service),
        .state = {name.service, options_.port}};
    co_await must(list(context, service, followed));
    while (true) {
        const auto watched = co_await watch(context, service, followed);
        if (!watched && watched.error().code() != "registry_gone") co_return watched.error();
        if (!watched) co_await must(sleep_for(context, jittered(world_, kAskingPace, 0.5)));
        if (!watched || followed.expired) co_await must(list(context, service, followed));
    }
}

} // namespace flotilla
