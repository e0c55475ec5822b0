#include <flotilla/service/service_node.hpp>

#include <flotilla/node/node.hpp>

namespace flotilla {

task<Result<std::unique_ptr<ServiceNode>>> ServiceNode::prepare(Context& context, World& world, Process& process,
                                                                HostOptions options, std::function<void(Host&)> install,
                                                                Lane lane, Engines engines) {
    std::unique_ptr<ServiceNode> made(new ServiceNode(world, process, std::move(options), lane, std::move(engines)));
    install(made->host_);
    co_await must(made->host_.prepare(context));
    co_return made;
}

task<Result<std::vector<std::string>>> ServiceNode::check_upgrade(Context& context, World& world, Process& process,
                                                                  HostOptions options,
                                                                  std::function<void(Host&)> install) {
    options.read_only = true;
    Host host(world, process, std::move(options), {}, {});
    install(host);
    co_return co_await host.check_upgrade(context);
}

const Address& ServiceNode::address() const { return host_.node().address(); }

task<Result<void>> ServiceNode::run(Context& stop, std::function<void()> withdrawn) {
    return host_.node().run(stop, {.ready = [this] { log_ready(); }, .withdrawn = std::move(withdrawn)});
}

void ServiceNode::log_ready() const {
    const auto& node = host_.node();
    if (!node.primary()) return;
    process_.log.info("ready", {{"address", node.address().to_string()}, {"instance", node.identity().instance}});
}

} // namespace flotilla
