#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <flotilla/base/descriptor.hpp>

namespace flotilla {

/// JSON Schemas (2020-12) of described types, as OpenAPI and AsyncAPI documents hold them: structs and enumerations
/// stand once under `components/schemas` by their type's name and are referred to, which also closes recursion.
/// Two types of one name are told apart by a number, in the order in which they were met.
/// Thread-safety: none.
class JsonSchemas {
public:
    /// reserved: names that the document uses itself.
    explicit JsonSchemas(std::span<const std::string_view> reserved = {});

    /// The schema of a value of that type; a reference for structs and enumerations.
    boost::json::object schema_of(const TypeDescriptor& type);
    /// The schema of an object with some of a struct's fields, written out in place.
    boost::json::object object_of(std::span<const FieldDescriptor* const> fields);
    /// What `components/schemas` holds: everything referred to so far, by name in alphabetical order.
    boost::json::object components() const;

private:
    std::string name_of(const TypeDescriptor& type);
    boost::json::object definition_of(const TypeDescriptor& type);
    boost::json::object nullable(const TypeDescriptor& type);

    std::map<const TypeDescriptor*, std::string> names_;
    std::map<std::string, boost::json::object> definitions_;
};

/// A name for programs made of a verb and any text: "get" and "/orders/{id}" give "getOrdersById", "send" and
/// "order.created" give "sendOrderCreated".
std::string operation_name(std::string_view verb, std::string_view text);

/// A name as a component of a document may have it: letters, digits, '.', '-' and '_'.
std::string component_name(std::string_view text);

} // namespace flotilla
