#include <flotilla/testing/event_corpus.hpp>

#include <fstream>
#include <set>
#include <sstream>

#include <flotilla/base/json_value.hpp>

namespace flotilla {
namespace {

struct Recorded {
    boost::json::value stored, read;
};

std::string content_of(const std::filesystem::path& file) {
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
}

/// Empty, or what is wrong with a version of a type.
std::string fault_of(const EventTypeInfo& type, int version, const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) {
        return "is missing: record an event as version " + std::to_string(version) +
               R"( stores it, {"stored": {...}, "read": {...}})";
    }
    const auto recorded = json::parse<Recorded>(content_of(file));
    if (!recorded) return "is not understood: " + recorded.error().message();
    const auto rewritten = type.rewritten(type, version, json::write(recorded->stored));
    if (!rewritten) return rewritten.error().message();
    const auto read = json::parse_value(*rewritten);
    if (!read) return read.error().message();
    if (*read == recorded->read) return {};
    return "is read as " + *rewritten + ", and not as it says; if that is meant, correct its \"read\"";
}

} // namespace

std::vector<std::string>
faults_of_event_corpus(const std::filesystem::path& folder,
                       std::initializer_list<std::reference_wrapper<const AggregateInfo>> aggregates) {
    std::vector<std::string> faults;
    std::set<std::string> known;
    for (const AggregateInfo& aggregate : aggregates) {
        for (const auto& event : aggregate.events()) {
            for (int version = 1; version <= event.type->version; ++version) {
                const auto name = std::string(event.type->name) + "." + std::to_string(version) + ".json";
                known.insert(name);
                if (const auto fault = fault_of(*event.type, version, folder / name); !fault.empty())
                    faults.push_back((folder / name).string() + " " + fault);
            }
        }
    }
    std::error_code none; // a folder that is not there has no files: each is missing above
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
        const auto name = entry.path().filename().string();
        if (known.contains(name)) continue;
        faults.push_back(entry.path().string() +
                         " is of no event type there is: what was stored can no longer be read");
    }
    return faults;
}

} // namespace flotilla
