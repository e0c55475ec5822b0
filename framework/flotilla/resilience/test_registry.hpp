#pragma once

#include <flotilla/aio/event.hpp>
#include <flotilla/discovery/registry.hpp>

namespace flotilla::test {

/// A registry that knows what a test tells it.
class ToldRegistry : public Registry {
public:
    void announce(Instance) override {}
    task<Result<void>> withdraw(Context&) override { co_return Result<void>(); }
    Instances instances(std::string_view service) override {
        const auto found = now_.find(service);
        return found == now_.end() ? none_ : found->second;
    }
    task<Result<Instances>> resolve(Context&, std::string service) override { co_return instances(service); }
    task<void> run(Context&) override { co_return; }
    Result<void> health() const override { return {}; }

    /// Adds an instance, in the place of one of the same id.
    void know(Instance instance) {
        auto list = *instances(instance.service);
        std::erase_if(list, [&](const Instance& each) { return each.id == instance.id; });
        const auto service = instance.service;
        list.push_back(std::move(instance));
        set(service, std::move(list));
    }
    void set(const std::string& service, std::vector<Instance> list) {
        now_.insert_or_assign(service, std::make_shared<const std::vector<Instance>>(std::move(list)));
    }

private:
    std::map<std::string, Instances, std::less<>> now_;
    Instances none_ = std::make_shared<const std::vector<Instance>>();
};

/// One that knows nothing and never answers.
class SilentRegistry final : public ToldRegistry {
public:
    task<Result<Instances>> resolve(Context& context, std::string) override {
        Event never;
        co_await must(never.wait(context));
        co_return Error(Kind::internal, "woken");
    }
};

} // namespace flotilla::test
