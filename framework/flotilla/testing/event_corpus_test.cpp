#include <flotilla/testing/event_corpus.hpp>

#include <fstream>

#include <gtest/gtest.h>

namespace flotilla::event_corpus_test {
namespace {

struct Added {
    std::string name;
    std::optional<int> count;
};
struct AddedBefore {
    std::string label;
};
Added with_name(const AddedBefore& before) { return {.name = before.label, .count = {}}; }
constexpr EventType<Added> kAdded{"cart.added", {upcast<with_name>}};
struct Cart {
    std::string last;
};
void apply(Cart& cart, const Added& event) { cart.last = event.name; }
constexpr Aggregate<Cart> kCarts{"cart", kAdded};

class EventCorpusTest : public testing::Test {
protected:
    EventCorpusTest() {
        write("cart.added.1.json", R"({"stored":{"label":"pen"},"read":{"name":"pen"}})");
        write("cart.added.2.json", R"({"stored":{"name":"pen","count":2},"read":{"name":"pen","count":2}})");
    }
    ~EventCorpusTest() override { std::filesystem::remove_all(folder); }
    void write(const std::string& name, std::string_view text) { std::ofstream(folder / name) << text; }
    /// The only fault.
    std::string fault() {
        const auto faults = faults_of_event_corpus(folder, {kCarts});
        EXPECT_EQ(faults.size(), 1U);
        return faults.empty() ? "" : faults.front();
    }
    static std::filesystem::path make_folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "flotilla-corpus-XXXXXX").string();
        return ::mkdtemp(pattern.data());
    }
    const std::filesystem::path folder = make_folder();
};

// Goal: a corpus with every version of every type, each read as it says, is fine.
TEST_F(EventCorpusTest, WholeCorpusHasNoFaults) {
    EXPECT_EQ(faults_of_event_corpus(folder, {kCarts}), std::vector<std::string>());
}

// Goal: a version that nobody recorded, one that is read as something else or not at all, and a recorded one that the
// program no longer knows are each named.
TEST_F(EventCorpusTest, EachFaultIsNamed) {
    std::filesystem::remove(folder / "cart.added.2.json");
    EXPECT_NE(fault().find("cart.added.2.json is missing: record an event as version 2"), std::string::npos);
    write("cart.added.2.json", R"({"stored":{"name":"pen"},"read":{"name":"ink"}})");
    EXPECT_NE(fault().find(R"(is read as {"name":"pen"}, and not as it says)"), std::string::npos);
    write("cart.added.2.json", R"({"stored":{"label":"pen"},"read":{"name":"pen"}})");
    EXPECT_NE(fault().find("name"), std::string::npos);
    write("cart.added.2.json", R"({"stored":{"name":"pen"}})");
    EXPECT_NE(fault().find("is not understood"), std::string::npos);
    write("cart.added.2.json", R"({"stored":{"name":"pen"},"read":{"name":"pen"}})");
    write("cart.removed.1.json", R"({"stored":{},"read":{}})");
    EXPECT_NE(fault().find("cart.removed.1.json is of no event type there is"), std::string::npos);
}

} // namespace
} // namespace flotilla::event_corpus_test
