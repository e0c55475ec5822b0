#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <flotilla/base/descriptor.hpp>
#include <flotilla/contract/error_code.hpp>

/// Single resources that have a version: what a reader is told, and what a change may expect. See
/// EndpointOptions::versioned and docs/adr/0017-a-change-that-was-checked-is-a-type.md.
namespace flotilla {

/// A resource and its version, which is raised by each change. As a row it has the columns of T and one named
/// `version`, which update() raises: `inline constexpr Table<Versioned<Product>> products{"products"};`
template <class T>
struct Versioned {
    T value;
    std::int64_t version = 1; ///< 1 for a new resource; 0: not known

    bool operator==(const Versioned&) const = default;
};

/// What the change of a resource does not fit: it has another version by now.
inline constexpr ErrorCode precondition_failed{"precondition_failed", Kind::invalid,
                                               "The resource is at version \"{}\" now; read it again and decide anew"};
inline constexpr ErrorCode precondition_required{"precondition_required", Kind::invalid,
                                                 "Send If-Match with the ETag that the change is meant for"};

/// Which versions of a resource a caller's change is meant for: any, unless it says so (in HTTP by If-Match and
/// If-None-Match). A method that changes a resource is handed it, and Transaction::change() looks at it.
class ExpectedVersion {
public:
    /// A condition's versions; `any` stands for whichever there is.
    struct Versions {
        bool any = false;
        std::vector<std::int64_t> listed = {};
        bool contain(std::int64_t version) const { return any || std::ranges::find(listed, version) != listed.end(); }
    };

    /// Every version.
    ExpectedVersion() = default;
    /// `only`: one of these; `none`: none of those. Each is one that the caller gave, or absent.
    ExpectedVersion(std::optional<Versions> only, std::optional<Versions> none)
        : only_(std::move(only)), none_(std::move(none)) {}

    bool allows(std::int64_t current) const {
        return (!only_ || only_->contain(current)) && (!none_ || !none_->contain(current));
    }

private:
    std::optional<Versions> only_, none_;
};

namespace detail {

template <class T>
inline constexpr bool is_versioned = false;
template <class T>
inline constexpr bool is_versioned<Versioned<T>> = true;

template <class T>
consteval auto fields_with_version() {
    constexpr auto own = descriptor_of<T>.fields;
    std::array<FieldDescriptor, own.size() + 1> fields{};
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (own[i].json_name == "version") throw "a Versioned<T> adds the version: T has none of its own";
        fields[i] = own[i]; // value is the first member: its fields stay where they are
    }
    fields.back() = {"version", "version", align_up(sizeof(T), alignof(std::int64_t)), &descriptor_of<std::int64_t>};
    return fields;
}
template <class T>
inline constexpr auto versioned_fields = fields_with_version<T>();

template <class T>
struct CustomType<Versioned<T>> {
    static consteval TypeDescriptor describe() {
        static_assert(descriptor_of<T>.kind == TypeKind::structure, "a resource that has a version is a struct");
        return {.kind = TypeKind::structure,
                .size = sizeof(Versioned<T>),
                .name = descriptor_of<T>.name,
                .fields = versioned_fields<T>};
    }
};

} // namespace detail
} // namespace flotilla
