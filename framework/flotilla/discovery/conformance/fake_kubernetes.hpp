#pragma once

#include <flotilla/discovery/conformance/registry_server.hpp>
#include <flotilla/http/server.hpp>

namespace flotilla {

/// Answers for EndpointSlices as a kube-apiserver does: lists, watches with bookmarks, 410 for what it no longer keeps.
/// The shapes are those of Kubernetes' API reference (endpoint-slice-v1) and of its page on API concepts. For tests.
class FakeKubernetes final : public RegistryServer {
public:
    explicit FakeKubernetes(World& world)
        : server_(world, [this](Context& context, http::Exchange& exchange) { return handle(context, exchange); }) {
        address_ = server_.listen(Address::tcp("127.0.0.1", 0)).value();
    }

    RegistryOptions options() const override {
        return {.url = "kubernetes+http://" + address_.to_string() + "/shop" + url_query};
    }
    task<void> run(Context& context) override { return server_.run(context); }
    bool put(const Instance& instance) override {
        pods_[instance.id] = instance;
        change();
        return true;
    }
    void remove(const std::string& id) override {
        pods_.erase(id);
        change();
    }
    void kill() override {
        unreachable_ = true;
        changed_.notify_all();
    }
    void restart() override { unreachable_ = false; }
    Instance told(Instance instance) const override {
        return {.id = instance.id,
                .service = instance.service,
                .address = instance.address,
                .host = instance.host,
                .incarnation = instance.incarnation,
                .zone = instance.zone};
    }

    /// The history begins now: watches from before get 410.
    void compact() {
        events_.clear();
        oldest_ = version_;
        end_watches();
    }
    /// Ends the watches, as the server does after timeoutSeconds.
    void end_watches() {
        ++round_;
        changed_.notify_all();
    }

    int lists = 0, watches = 0;
    std::string authorization; ///< of the last request
    std::string url_query;

private:
    static boost::json::object endpoint(const Instance& pod) {
        return {{"addresses", {pod.address.host}},
                {"conditions", {{"ready", true}, {"serving", true}, {"terminating", false}}},
                {"nodeName", pod.host},
                {"targetRef", {{"kind", "Pod"}, {"namespace", "shop"}, {"name", pod.id}, {"uid", pod.incarnation}}},
                {"zone", pod.zone}};
    }
    boost::json::object slice() const {
        boost::json::array endpoints;
        for (const auto& [id, pod] : pods_)
            endpoints.push_back(endpoint(pod));
        return {{"metadata",
                 {{"name", "order-service-x7k2p"},
                  {"namespace", "shop"},
                  {"resourceVersion", std::to_string(version_)},
                  {"labels", {{"kubernetes.io/service-name", "order-service"}}}}},
                {"addressType", "IPv4"},
                {"endpoints", std::move(endpoints)},
                {"ports",
                 {{{"name", "http"}, {"port", 3002}, {"protocol", "TCP"}},
                  {{"name", "metrics"}, {"port", 9090}, {"protocol", "TCP"}}}}};
    }
    void change() {
        ++version_;
        const boost::json::object event{{"type", "MODIFIED"}, {"object", slice()}};
        events_.emplace_back(version_, boost::json::serialize(event) + "\n");
        changed_.notify_all();
    }

    task<void> handle_list(Context& context, http::Exchange& exchange, bool ours) {
        ++lists;
        boost::json::array items;
        if (ours) items.push_back(slice());
        const boost::json::object list{{"kind", "EndpointSliceList"},
                                       {"apiVersion", "discovery.k8s.io/v1"},
                                       {"metadata", {{"resourceVersion", std::to_string(version_)}}},
                                       {"items", std::move(items)}};
        (void)co_await exchange.respond(context, {}, boost::json::serialize(list));
    }

    task<void> handle_watch(Context& context, http::Exchange& exchange, std::uint64_t from, bool ours) {
        ++watches;
        const auto round = round_;
        if (!co_await exchange.send(context, {}, http::BodySize::unknown())) co_return;
        if (from < oldest_) {
            (void)co_await exchange.write(
                context, R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure",)"
                         R"("message":"too old resource version","reason":"Expired","code":410}})"
                         "\n");
            (void)co_await exchange.finish(context);
            co_return;
        }
        (void)co_await exchange.write(
            context, R"({"type":"BOOKMARK","object":{"kind":"EndpointSlice","metadata":{"resourceVersion":")" +
                         std::to_string(from) + "\"}}}\n");
        while (round == round_ && !unreachable_) {
            for (std::size_t i = 0; ours && i < events_.size(); ++i) {
                if (events_[i].first <= from) continue;
                from = events_[i].first;
                if (!co_await exchange.write(context, std::string(events_[i].second))) co_return;
            }
            if (!co_await changed_.wait(context)) co_return;
        }
        if (unreachable_) co_return exchange.reset();
        (void)co_await exchange.finish(context);
    }

    task<void> handle(Context& context, http::Exchange& exchange) {
        const auto& request = exchange.request();
        authorization = request.headers.get("Authorization").value_or("");
        if (unreachable_) co_return exchange.reset();
        std::map<std::string, std::string> asked;
        const auto parameters = http::parse_query(request.query()).value();
        for (const auto& [key, value] : parameters)
            asked[key] = value;
        EXPECT_EQ(request.path(), "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices");
        const bool ours = asked["labelSelector"] == "kubernetes.io/service-name=order-service";
        if (!asked.contains("watch")) co_return co_await handle_list(context, exchange, ours);
        EXPECT_EQ(asked["allowWatchBookmarks"], "true");
        co_await handle_watch(context, exchange, std::stoull(asked["resourceVersion"]), ours);
    }

    http::Server server_;
    Address address_;
    std::map<std::string, Instance> pods_;
    std::vector<std::pair<std::uint64_t, std::string>> events_;
    std::uint64_t version_ = 100, oldest_ = 0;
    int round_ = 0;
    bool unreachable_ = false;
    EventList changed_;
};

} // namespace flotilla
