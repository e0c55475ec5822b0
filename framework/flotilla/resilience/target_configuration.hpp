#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flotilla/base/result.hpp>
#include <flotilla/resilience/options.hpp>

namespace flotilla {

/// Stands for all targets that do not say otherwise.
inline constexpr std::string_view kAllTargets = "*";

/// Who has set an option; of two that say the same, the later one of these counts.
enum class SettingOrigin : unsigned char {
    file,       ///< flotilla.yaml, gateway.yaml
    key_values, ///< the registry's key-value store, at run time
    given       ///< a variable or a flag of this process
};

/// One option of calls to a service, or to one of its endpoints, as somebody has set it.
struct TargetSetting {
    std::string target; ///< "user-service", or kAllTargets
    std::string key;    ///< one of target_option_keys()
    std::string value;
    std::string source;        ///< where it was said: "gateway.yaml:12", "--target"
    std::string endpoint = {}; ///< "GET /users/{id}", as its contract has it; empty: all
    SettingOrigin origin = SettingOrigin::file;
    bool operator==(const TargetSetting&) const = default;
};

/// Reads "user-service.retry.retries=1", "*.hedging.enabled=true" or "user-service[GET /users/{id}].timeouts.call=1s";
/// what follows " # " is the file where it was said, else it was given, as `source` says. Errors: invalid
/// `invalid_configuration`. Whether there is such an option says TargetConfiguration::set().
Result<TargetSetting> parse_target_setting(std::string_view text, std::string source);
/// The same text, its source included.
std::string to_text(const TargetSetting& setting);

/// For a flag that takes such settings: what separates several in one text, and its help.
inline constexpr char kTargetSeparator = ';';
inline constexpr const char* kTargetFlagHelp =
    "Option of calls to a service, or to all (*): user-service.retry.retries=1; several flags, or several behind a ;";

/// What is configured of calls to services: for all of them, and for each. What is said of a service by name counts
/// more than what is said of all, and of an endpoint more than of its service, whatever the order; of two that say the
/// same, the later origin counts, and then the later one.
/// Thread-safety: none; a value.
class TargetConfiguration {
public:
    /// Errors: as set_target_option(), and of an endpoint that is none, or an option that an endpoint does not have;
    /// nothing is set then.
    Result<void> set(TargetSetting setting);
    /// Sets each of the texts (see parse_target_setting()), and checks whether all fit together. known: the services
    /// that may be named; empty: any. Errors: that of the first that is wrong, with the text.
    Result<void> set_all(const std::vector<std::string>& texts, const std::string& source,
                         const std::vector<std::string>& known = {});
    /// What single values cannot tell, of each target; see check_target_options(). After all were set.
    Result<void> check() const;

    /// Those in force for a service: `base`, with what is configured.
    TargetOptions options_of(std::string_view service, const TargetOptions& base = {}) const;
    /// Those of one of its endpoints: those of the service, with what is configured.
    TargetOptions options_of_endpoint(std::string_view service, std::string_view endpoint,
                                      const TargetOptions& of_service) const;
    /// The endpoints of a service that are named, each once.
    std::vector<std::string> endpoints_of(std::string_view service) const;
    /// Where an option's value for a service was said; "default": nowhere.
    std::string_view source_of(std::string_view service, std::string_view key) const;
    /// The services that are named, each once.
    std::vector<std::string> services() const;
    /// By origin, and then in the order in which they were set.
    const std::vector<TargetSetting>& settings() const { return settings_; }

private:
    std::vector<TargetSetting> settings_;
};

/// Whether a service is one of those `known`, or kAllTargets. Errors: invalid `invalid_configuration`, with the nearest
/// one.
Result<void> check_target_name(std::string_view service, const std::vector<std::string>& known);

} // namespace flotilla
