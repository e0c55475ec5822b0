#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla::hub::consul {

/// Reads the members of a JSON object the way Consul does: names without case and underscores
/// ("DeregisterCriticalServiceAfter", "deregister_critical_service_after"), absent and null alike. Collects the first
/// mistake; ask error() once at the end. The object must outlive this.
class JsonFields {
public:
    explicit JsonFields(const boost::json::object& object);

    bool has(std::string_view name) const { return find(name) != nullptr; }
    std::string text(std::string_view name);
    bool flag(std::string_view name);
    std::optional<std::int64_t> number(std::string_view name);
    /// Absent: 0.
    std::uint64_t unsigned_number(std::string_view name);
    /// Go's text ("10s") or nanoseconds as a number.
    Duration duration(std::string_view name);
    std::vector<std::string> texts(std::string_view name);
    std::map<std::string, std::string> text_map(std::string_view name);
    const boost::json::object* object(std::string_view name);
    const boost::json::array* array(std::string_view name);

    /// Notes a mistake of the caller's own checks.
    void fail(std::string_view name, std::string_view expected);
    const std::optional<Error>& error() const { return error_; }

private:
    const boost::json::value* find(std::string_view name) const;

    std::map<std::string, const boost::json::value*, std::less<>> members_;
    std::optional<Error> error_;
};

std::string_view view(const boost::json::string& text);

} // namespace flotilla::hub::consul
