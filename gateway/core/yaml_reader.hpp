#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>
#include <yaml-cpp/yaml.h>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>

#include "gateway/core/config.hpp"

namespace flotilla::gateway {

/// For the end of a message about a wrong name: "; did you mean 'x'?", or "; expected one of: a, b" when none is near.
std::string suggestion(std::string_view wrong, std::span<const std::string_view> candidates);

/// Reads a YAML tree into values and collects everything that is wrong with it, so that one run shows all mistakes.
class YamlReader {
public:
    explicit YamlReader(std::string file) : file_(std::move(file)) {}

    Location where(const YAML::Node& node) const;
    void fail(const YAML::Node& node, std::string message);
    const std::vector<std::string>& problems() const { return problems_; }

    /// A key that a map may have, and what becomes of its value.
    struct Member {
        std::string_view key;
        std::function<void(const YAML::Node& value)> read;
    };
    /// Reads the members that a map has; reports unknown and repeated ones. `what` names the map.
    void map(const YAML::Node& node, std::string_view what, const std::vector<Member>& members);
    /// Calls visit(key, value) for each key of a map whose keys are free names.
    void named(const YAML::Node& node, std::string_view what,
               const std::function<void(const std::string& key, const YAML::Node& value)>& visit);
    void list(const YAML::Node& node, std::string_view what, const std::function<void(const YAML::Node& item)>& visit);
    /// One text, or a list of texts.
    std::vector<std::string> texts(const YAML::Node& node, std::string_view what);

    std::string text(const YAML::Node& node, std::string_view what);
    std::optional<bool> boolean(const YAML::Node& node, std::string_view what);
    std::optional<std::uint64_t> number(const YAML::Node& node, std::string_view what, std::uint64_t min,
                                        std::uint64_t max);
    /// `alternative`: what else the caller takes, for the message.
    std::optional<Duration> duration(const YAML::Node& node, std::string_view what, std::string_view alternative = "");

    /// What the YAML denotes as JSON; what is quoted is text. At most 16 levels: an alias may lead to where it stands.
    boost::json::value json(const YAML::Node& node, std::string_view what, int depth = 0);

private:
    std::string file_;
    std::vector<std::string> problems_;
    bool too_deep_ = false;
};

} // namespace flotilla::gateway
