#include <flotilla/saga/engine.hpp>

#include <stdexcept>

#include <flotilla/saga/driver.hpp>
#include <flotilla/saga/pages.hpp>
#include <flotilla/saga/saga_table.hpp>
#include <flotilla/saga/tables.hpp>

namespace flotilla::saga {

struct Engine::Impl {
    std::map<std::string, std::shared_ptr<detail::Family>, std::less<>> families;

    Families all() const { return {families.begin(), families.end()}; }
};

Engine::Engine(Host& host, Database& database, Calls& calls, EngineOptions options)
    : host_(host), database_(database), impl_(std::make_unique<Impl>()) {
    host.add_tables(kComponent, migrations());
    host.add_database_part(
        {.name = "the sagas", .check = "sagas", .begin = [this, &host, &calls, options](Tenure& tenure) {
             const Caller caller = [&calls](Context& context, const EndpointInfo& endpoint, const void* request,
                                            RepeatedCall& repeated) {
                 return calls.repeat(context, endpoint, request, repeated);
             };
             return std::make_unique<Driver>(host.world(), tenure, impl_->all(), caller, host.telemetry(),
                                             DriverOptions{.concurrency = options.concurrency, .keep = options.keep});
         }});
    add_pages(host, database);
    host.add_upgrade_check([this](Context& context) { return missing_handlers(context, database_, impl_->all()); });
}

Engine::~Engine() = default;

std::shared_ptr<detail::Family> Engine::family(std::string name, const TypeDescriptor& state) {
    auto made = std::make_shared<detail::Family>(detail::Family{.name = name, .state = &state});
    if (!impl_->families.try_emplace(name, made).second)
        throw std::logic_error("engine.sagas() was called twice for " + name);
    return made;
}

void Engine::replied(Transaction& transaction, const Received<Reply>& reply) {
    table::keep_reply(transaction, reply.event);
}

} // namespace flotilla::saga
