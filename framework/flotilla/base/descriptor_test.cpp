#include <flotilla/base/descriptor.hpp>

#include <cstddef>
#include <memory>

#include <gtest/gtest.h>

namespace descriptor_test {

enum class Status { pending, out_of_stock = 5, delete_ = 63 };
enum class Small : std::int8_t { noValue, HasValue };

struct Inner {
    std::uint8_t tiny;
    std::int64_t big;
};
struct Everything {
    bool flag;
    std::int8_t i8;
    std::uint16_t u16;
    std::int32_t i32;
    std::uint64_t u64;
    double real;
    std::string user_id;
    flotilla::Money total_price;
    flotilla::Timestamp created_at;
    Status status;
    Small small;
    std::optional<std::string> note_;
    flotilla::Patch<int> patch;
    std::vector<Inner> inners;
    std::map<std::string, Inner, std::less<>> by_name;
    Inner inner;
    flotilla::Bounded<int, 1, 1000> quantity;
    flotilla::Bounded<double, -0.5, 0.5> ratio;
    flotilla::Text<1, 20> title;
};
struct Node {
    int value;
    std::vector<Node> children;
    std::map<std::string, Node> named;
    std::optional<std::vector<Node>> others;
};
struct Empty {};
struct One {
    flotilla::Text<1, 5> only;
};
struct Defaults {
    int limit = 20;
    std::string order = "name";
};
template <class T>
struct Page {
    std::vector<T> items;
};

class WithConstructor {
public:
    explicit WithConstructor(int) {}
};
enum Unscoped { a_value };

} // namespace descriptor_test

namespace flotilla::descriptor_test {
namespace {

using namespace ::descriptor_test;

struct Local {
    int in_nameless_namespace;
};

const FieldDescriptor& field(std::string_view json_name) {
    const auto* found = field_named_json(descriptor_of<Everything>, json_name);
    if (!found) throw std::logic_error("no field " + std::string(json_name));
    return *found;
}

/// The compiler's own offset (offsetof is for standard layouts only).
template <class Member>
std::size_t offset_of(Member Everything::* member) {
    const Everything object{};
    return static_cast<std::size_t>(reinterpret_cast<const std::byte*>(&(object.*member)) -
                                    reinterpret_cast<const std::byte*>(&object));
}

// Goal: names become camelCase, and a trailing underscore is dropped in both spellings.
TEST(Descriptor, NamesOfFieldsAreConverted) {
    EXPECT_EQ(field("userId").name, "user_id");
    EXPECT_EQ(field("totalPrice").name, "total_price");
    EXPECT_EQ(field("note").name, "note");
    EXPECT_EQ(field_named(descriptor_of<Everything>, "by_name")->json_name, "byName");
    EXPECT_EQ(field_named_json(descriptor_of<Everything>, "user_id"), nullptr);
    EXPECT_EQ(field_named(descriptor_of<Everything>, "note_"), nullptr);
}

// Goal: the computed offsets are the compiler's.
TEST(Descriptor, OffsetsOfFieldsAreTheCompilers) {
    EXPECT_EQ(field("flag").offset, offset_of(&Everything::flag));
    EXPECT_EQ(field("i8").offset, offset_of(&Everything::i8));
    EXPECT_EQ(field("u16").offset, offset_of(&Everything::u16));
    EXPECT_EQ(field("i32").offset, offset_of(&Everything::i32));
    EXPECT_EQ(field("u64").offset, offset_of(&Everything::u64));
    EXPECT_EQ(field("real").offset, offset_of(&Everything::real));
    EXPECT_EQ(field("userId").offset, offset_of(&Everything::user_id));
    EXPECT_EQ(field("totalPrice").offset, offset_of(&Everything::total_price));
    EXPECT_EQ(field("createdAt").offset, offset_of(&Everything::created_at));
    EXPECT_EQ(field("status").offset, offset_of(&Everything::status));
    EXPECT_EQ(field("small").offset, offset_of(&Everything::small));
    EXPECT_EQ(field("note").offset, offset_of(&Everything::note_));
    EXPECT_EQ(field("patch").offset, offset_of(&Everything::patch));
    EXPECT_EQ(field("inners").offset, offset_of(&Everything::inners));
    EXPECT_EQ(field("byName").offset, offset_of(&Everything::by_name));
    EXPECT_EQ(field("inner").offset, offset_of(&Everything::inner));
    EXPECT_EQ(field("quantity").offset, offset_of(&Everything::quantity));
    EXPECT_EQ(field("ratio").offset, offset_of(&Everything::ratio));
    EXPECT_EQ(field("title").offset, offset_of(&Everything::title));
    EXPECT_EQ(descriptor_of<Everything>.fields.size(), 19U);
    EXPECT_EQ(descriptor_of<Everything>.size, sizeof(Everything));
}

// Goal: every supported type has its kind, size and signedness.
TEST(Descriptor, KindsOfFieldsAreRecognised) {
    EXPECT_EQ(field("flag").type->kind, TypeKind::boolean);
    EXPECT_EQ(field("i8").type->kind, TypeKind::integer);
    EXPECT_TRUE(field("i8").type->is_signed);
    EXPECT_EQ(field("i8").type->size, 1U);
    EXPECT_FALSE(field("u16").type->is_signed);
    EXPECT_EQ(field("u16").type->size, 2U);
    EXPECT_EQ(field("real").type->kind, TypeKind::real);
    EXPECT_EQ(field("userId").type->kind, TypeKind::string);
    EXPECT_EQ(field("totalPrice").type->kind, TypeKind::money);
    EXPECT_EQ(field("createdAt").type->kind, TypeKind::timestamp);
    EXPECT_EQ(field("status").type->kind, TypeKind::enumeration);
    EXPECT_EQ(field("note").type->kind, TypeKind::optional);
    EXPECT_EQ(&field("note").type->element(), &descriptor_of<std::string>);
    EXPECT_EQ(field("patch").type->kind, TypeKind::patch);
    EXPECT_EQ(field("inners").type->kind, TypeKind::array);
    EXPECT_EQ(&field("inners").type->element(), &descriptor_of<Inner>);
    EXPECT_EQ(field("byName").type->kind, TypeKind::map);
    EXPECT_EQ(field("inner").type, &descriptor_of<Inner>);
}

// Goal: the limits of constrained types are in the table, since documents are made from it.
TEST(Descriptor, ConstraintsOfFieldsAreKept) {
    const auto& quantity = *field("quantity").type;
    EXPECT_EQ(quantity.kind, TypeKind::integer);
    EXPECT_TRUE(quantity.constraint.has_range);
    EXPECT_EQ(quantity.constraint.minimum, 1);
    EXPECT_EQ(quantity.constraint.maximum, 1000);
    EXPECT_EQ(field("ratio").type->constraint.real_minimum, -0.5);
    EXPECT_EQ(field("ratio").type->constraint.real_maximum, 0.5);
    EXPECT_TRUE(field("title").type->constraint.has_length);
    EXPECT_EQ(field("title").type->constraint.min_length, 1U);
    EXPECT_EQ(field("title").type->constraint.max_length, 20U);
    EXPECT_FALSE(field("i32").type->constraint.has_range);
}

// Goal: a type's name has no namespaces, and template arguments join in.
TEST(Descriptor, NamesOfTypesAreWithoutNamespaces) {
    struct InFunction {
        int x;
    };
    EXPECT_EQ(descriptor_of<Everything>.name, "Everything");
    EXPECT_EQ(descriptor_of<Status>.name, "Status");
    EXPECT_EQ(descriptor_of<Local>.name, "Local");
    EXPECT_EQ(descriptor_of<Local>.fields[0].json_name, "inNamelessNamespace");
    EXPECT_EQ(descriptor_of<InFunction>.name, "InFunction");
    EXPECT_EQ(descriptor_of<Page<Inner>>.name, "PageInner");
    EXPECT_EQ(descriptor_of<Page<Page<Inner>>>.name, "PagePageInner");
}

// Goal: enumerators are found with their values, in UPPER_SNAKE.
TEST(Descriptor, EnumeratorsAreUpperSnake) {
    const auto& enumerators = descriptor_of<Status>.enumerators;
    ASSERT_EQ(enumerators.size(), 3U);
    EXPECT_EQ(enumerators[0].text, "PENDING");
    EXPECT_EQ(enumerators[1].text, "OUT_OF_STOCK");
    EXPECT_EQ(enumerators[1].name, "out_of_stock");
    EXPECT_EQ(enumerators[1].value, 5);
    EXPECT_EQ(enumerators[2].text, "DELETE");
    EXPECT_EQ(enumerators[2].value, 63);
    EXPECT_EQ(descriptor_of<Small>.enumerators[0].text, "NO_VALUE");
    EXPECT_EQ(descriptor_of<Small>.enumerators[1].text, "HAS_VALUE");
}

// Goal: enumeration values turn into text and back; a value without a name is a bug.
TEST(Descriptor, EnumTextRoundTrips) {
    EXPECT_EQ(enum_text(Status::out_of_stock), "OUT_OF_STOCK");
    EXPECT_EQ(enum_text(Small::HasValue), "HAS_VALUE");
    EXPECT_EQ(enum_of_text<Status>("DELETE"), Status::delete_);
    EXPECT_EQ(enum_of_text<Status>("delete"), std::nullopt);
    EXPECT_THROW((void)enum_text(static_cast<Status>(7)), std::out_of_range);
}

// Goal: a type that contains itself has one table that refers to itself.
TEST(Descriptor, RecursiveTypeRefersToItself) {
    const auto& node = descriptor_of<Node>;
    ASSERT_EQ(node.fields.size(), 4U);
    EXPECT_EQ(&node.fields[1].type->element(), &node);
    EXPECT_EQ(&node.fields[2].type->element(), &node);
    EXPECT_EQ(&node.fields[3].type->element().element(), &node);
}

// Goal: structs without fields, with one field and with default values count right.
TEST(Descriptor, UnusualStructsCountRight) {
    EXPECT_TRUE(descriptor_of<Empty>.fields.empty());
    EXPECT_EQ(descriptor_of<Empty>.kind, TypeKind::structure);
    ASSERT_EQ(descriptor_of<One>.fields.size(), 1U);
    EXPECT_EQ(descriptor_of<One>.fields[0].type->kind, TypeKind::string);
    ASSERT_EQ(descriptor_of<Defaults>.fields.size(), 2U);
    EXPECT_EQ(descriptor_of<Defaults>.fields[1].name, "order");
}

// Goal: what cannot be described is refused by the concept, not misread.
TEST(Descriptor, ForeignTypesAreNotDescribed) {
    static_assert(Described<Everything> && Described<std::vector<std::optional<int>>> && Described<Status>);
    static_assert(!Described<WithConstructor> && !Described<Unscoped> && !Described<int*> && !Described<char>);
    static_assert(!Described<float> && !Described<const int> && !Described<std::unique_ptr<int>>);
    static_assert(!Described<std::map<int, int>> && !Described<std::vector<WithConstructor>> && !Described<int[3]>);
}

// Goal: the operations of containers work on objects behind void pointers.
TEST(Descriptor, ContainerOperationsChangeTheirObjects) {
    std::vector<int> numbers;
    const auto& array = descriptor_of<std::vector<int>>;
    *static_cast<int*>(array.array->emplace_back(&numbers)) = 7;
    EXPECT_EQ(numbers, std::vector{7});
    EXPECT_EQ(array.array->data(&numbers), numbers.data());
    array.array->clear(&numbers);
    EXPECT_EQ(array.array->size(&numbers), 0U);

    std::map<std::string, int> ages;
    const auto& map = *descriptor_of<std::map<std::string, int>>.map;
    *static_cast<int*>(map.insert(&ages, "a")) = 1;
    EXPECT_EQ(map.insert(&ages, "a"), nullptr);
    EXPECT_EQ(map.size(&ages), 1U);
    map.clear(&ages);
    EXPECT_TRUE(ages.empty());

    std::optional<int> maybe;
    const auto& optional = *descriptor_of<std::optional<int>>.optional;
    EXPECT_TRUE(optional.is_absent(&maybe));
    *static_cast<int*>(optional.emplace(&maybe)) = 3;
    EXPECT_EQ(*static_cast<const int*>(optional.get(&maybe)), 3);
    optional.set_null(&maybe);
    EXPECT_EQ(optional.get(&maybe), nullptr);
}

// Goal: an absent Patch and one that is null are told apart.
TEST(Descriptor, PatchOperationsTellNullFromAbsent) {
    Patch<int> patch;
    const auto& operations = *descriptor_of<Patch<int>>.optional;
    EXPECT_TRUE(operations.is_absent(&patch));
    operations.set_null(&patch);
    EXPECT_FALSE(operations.is_absent(&patch));
    EXPECT_EQ(operations.get(&patch), nullptr);
    operations.reset(&patch);
    EXPECT_TRUE(patch.is_absent());
}

// Goal: integers of all sizes are loaded and stored unharmed.
TEST(Descriptor, LoadAndStoreKeepIntegersOfAllSizes) {
    const auto round_trip = []<class Integer>(Integer value) {
        Integer stored{};
        store_integer(descriptor_of<Integer>, &stored, static_cast<std::int64_t>(value));
        EXPECT_EQ(stored, value);
        EXPECT_EQ(static_cast<Integer>(load_integer(descriptor_of<Integer>, &stored)), value);
    };
    round_trip(std::numeric_limits<std::int8_t>::min());
    round_trip(std::numeric_limits<std::uint8_t>::max());
    round_trip(std::numeric_limits<std::int16_t>::min());
    round_trip(std::numeric_limits<std::uint32_t>::max());
    round_trip(std::numeric_limits<std::int32_t>::min());
    round_trip(std::numeric_limits<std::int64_t>::min());
    round_trip(std::numeric_limits<std::uint64_t>::max());
}

} // namespace
} // namespace flotilla::descriptor_test
