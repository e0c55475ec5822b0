#pragma once

#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// Instances from the configuration: nothing is announced, nothing changes.
class StaticRegistry final : public Registry {
public:
    explicit StaticRegistry(const std::map<std::string, std::vector<Instance>, std::less<>>& fixed);

    void announce(Instance instance) override;
    task<Result<void>> withdraw(Context& context) override;
    Instances instances(std::string_view service) override;
    task<Result<Instances>> resolve(Context& context, std::string service) override;
    task<void> run(Context& context) override;
    Result<void> health() const override;

private:
    std::map<std::string, Instances, std::less<>> fixed_; ///< also by other ways to write a name, once asked for
    Instances none_ = std::make_shared<const std::vector<Instance>>();
};

} // namespace flotilla
