#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/json.hpp>

#include <flotilla/base/duration.hpp>
#include <flotilla/base/result.hpp>

namespace flotilla::hub::consul {

/// Reads the members of a JSON object the way Consul does: names without case and underscores
/// ("DeregisterCriticalServiceAfter", "deregister_critical_service_after"), absent and null alike. Collects the first
/// mistake; once everything was read, ask finish() or error(). The object must outlive this.
class JsonFields {
public:
    explicit JsonFields(const boost::json::object& object);

    bool has(std::string_view name) { return find(name) != nullptr; }
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
    /// Whether it says anything: not false, zero, "", [] or {}. For what is known but not done here.
    bool is_set(std::string_view name);

    /// Nothing more will be asked: a member that nobody asked for is a mistake, as in Consul.
    void finish();
    /// Notes a mistake of the caller's own checks.
    void fail(std::string_view name, std::string_view expected);
    const std::optional<Error>& error() const { return error_; }

    /// Reads the whole of an object: read(JsonFields&) gives the value. Errors: the first mistake.
    template <class Read>
    static auto read_whole(const boost::json::object& object, Read read)
        -> Result<std::invoke_result_t<Read, JsonFields&>> {
        JsonFields fields(object);
        auto value = read(fields);
        fields.finish();
        if (fields.error_) return std::move(*fields.error_);
        return value;
    }
    /// Reads the whole of an object within this one, with read(JsonFields&). Its first mistake is one of this.
    template <class Read>
    void read_part(const boost::json::object& object, Read read) {
        JsonFields part(object);
        read(part);
        part.finish();
        if (!error_) error_ = std::move(part.error_);
    }

private:
    struct Member {
        std::string_view written;
        const boost::json::value* value;
        bool asked_for = false;
    };

    const boost::json::value* find(std::string_view name);
    void fail_to_decode(std::string why);

    std::map<std::string, Member, std::less<>> members_;
    std::optional<Error> error_;
};

/// The JSON of a request's body. Errors: invalid, with Consul's text.
Result<boost::json::value> parse_body(std::string_view text);
/// The object that a body has to be; null counts as an empty one, as in Consul. Errors: invalid, with Consul's text.
Result<const boost::json::object*> as_object(const boost::json::value& body);

std::string_view view(const boost::json::string& text);

} // namespace flotilla::hub::consul
