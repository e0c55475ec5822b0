#pragma once

#include <flotilla/discovery/conformance/registry_server.hpp>
#include <flotilla/http/server.hpp>

namespace flotilla {

/// Answers as a Eureka server does: registrations, renewals, all applications, and what has changed since it began,
/// with the hash code. The shapes are those that spring-cloud-netflix-eureka-server sends as JSON. For tests.
class FakeEureka final : public RegistryServer {
public:
    explicit FakeEureka(World& world)
        : server_(world, [this](Context& context, http::Exchange& exchange) { return handle(context, exchange); }) {
        address_ = server_.listen(Address::tcp("127.0.0.1", 0)).value();
    }

    RegistryOptions options() const override {
        return {.url = "eureka://" + address_.to_string() + "/eureka?fetch=20ms"};
    }
    task<void> run(Context& context) override { return server_.run(context); }
    void kill() override {
        unreachable = true;
        forget();
    }
    void restart() override { unreachable = false; }

    /// It began anew: the registrations are lost, and so is what has changed.
    void forget() {
        instances.clear();
        changes_.clear();
    }
    void set_status(const std::string& id, const std::string& status) {
        instances.at(id)["status"] = status;
        note(instances.at(id), "MODIFIED");
    }

    bool unreachable = false;
    bool deltas = true; ///< disableDelta: they are 403
    int fetches = 0, delta_fetches = 0, registrations = 0;
    std::map<std::string, boost::json::object> instances; ///< by id

private:
    void note(boost::json::object instance, const char* action) {
        instance["actionType"] = action;
        changes_.push_back(std::move(instance));
    }
    static std::string text(const boost::json::value& value) { return std::string(value.as_string().c_str()); }

    std::string hash_code() const {
        std::map<std::string, int> counts;
        for (const auto& [id, instance] : instances)
            ++counts[text(instance.at("status"))];
        std::string code;
        for (const auto& [status, count] : counts)
            code += status + "_" + std::to_string(count) + "_";
        return code;
    }
    template <class List>
    std::string applications(const List& list) const {
        std::map<std::string, boost::json::array> apps;
        for (const auto& instance : list)
            apps[text(instance.at("app"))].push_back(instance);
        boost::json::array applications;
        for (auto& [name, its] : apps)
            applications.push_back(boost::json::object{{"name", name}, {"instance", std::move(its)}});
        return boost::json::serialize(boost::json::object{
            {"applications",
             {{"versions__delta", "1"}, {"apps__hashcode", hash_code()}, {"application", std::move(applications)}}}});
    }

    task<void> respond(Context& context, http::Exchange& exchange, int status, std::string body = {}) {
        http::ResponseHead head;
        head.status = status;
        (void)co_await exchange.respond(context, head, body); // a client that has gone does not matter here
    }

    task<void> handle(Context& context, http::Exchange& exchange) {
        const auto& request = exchange.request();
        const std::string path(request.path());
        auto body = co_await exchange.read_all(context);
        if (unreachable || !body) co_return exchange.reset();
        if (path == "/eureka/apps") {
            ++fetches;
            std::vector<boost::json::object> all;
            for (const auto& [id, instance] : instances)
                all.push_back(instance);
            co_return co_await respond(context, exchange, 200, applications(all));
        }
        if (path == "/eureka/apps/delta") {
            ++delta_fetches;
            if (!deltas) co_return co_await respond(context, exchange, 403);
            co_return co_await respond(context, exchange, 200, applications(changes_));
        }
        co_await handle_instance(context, exchange, path.substr(std::string_view("/eureka/apps/").size()), *body);
    }

    /// APP, or APP/ID.
    task<void> handle_instance(Context& context, http::Exchange& exchange, std::string path, std::string body) {
        const auto slash = std::min(path.find('/'), path.size());
        if (exchange.request().method == Method::post) {
            ++registrations;
            auto instance = boost::json::parse(body).at("instance").as_object();
            EXPECT_EQ(text(instance.at("app")), path);
            note(instance, "ADDED");
            instances[text(instance.at("instanceId"))] = std::move(instance);
            co_return co_await respond(context, exchange, 204);
        }
        const auto known = instances.find(path.substr(slash + 1));
        if (known == instances.end()) co_return co_await respond(context, exchange, 404);
        if (exchange.request().method == Method::delete_) {
            note(known->second, "DELETED");
            instances.erase(known);
        }
        co_await respond(context, exchange, 200);
    }

    http::Server server_;
    Address address_;
    std::vector<boost::json::object> changes_;
};

} // namespace flotilla
