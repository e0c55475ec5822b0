#pragma once

#include <flotilla/aio/scope.hpp>
#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// Several registries as one: an instance is announced in each that takes announcements, and found in any. What several
/// know, by id or address, is taken from the first of them.
class CombinedRegistry final : public Registry {
public:
    explicit CombinedRegistry(std::vector<std::unique_ptr<Registry>> parts) : parts_(std::move(parts)) {}

    void announce(Instance instance) override;
    /// From all, whatever becomes of one. Errors: the first that failed.
    task<Result<void>> withdraw(Context& context) override;
    Instances instances(std::string_view service) override;
    /// What the first to know an instance knows; no_instance when all have answered and none does.
    task<Result<Instances>> resolve(Context& context, std::string service) override;
    task<void> run(Context& context) override;
    Result<void> health() const override;
    /// Those of the first that has some.
    KeyValues* key_values() override;

private:
    /// The union, kept as long as none of the lists it is made of changes.
    struct Union {
        std::vector<Instances> parts;
        Instances instances;
    };
    task<void> resolve_in(Context& context, Registry& part, std::string service, Scope& others,
                          std::vector<Error>& errors);

    std::vector<std::unique_ptr<Registry>> parts_;
    std::map<std::string, Union, std::less<>> unions_;
};

} // namespace flotilla
