#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include <flotilla/contract/aggregate.hpp>

namespace flotilla {

/// What is stored stays for ever, and a release must read all of it: a folder of recorded events, one file for each
/// version of each type that was ever released, "order.placed.1.json":
///     {"stored": {...the payload as that version stored it...}, "read": {...what it is read as today...}}
/// Files are added with a new type or version and never taken away; "read" follows the struct.
/// Returns what is wrong, a sentence each: a version without a file, one that is not read or read as something else,
/// a file of a type or version that is no longer there. Empty when all is well.
std::vector<std::string>
faults_of_event_corpus(const std::filesystem::path& folder,
                       std::initializer_list<std::reference_wrapper<const AggregateInfo>> aggregates);

} // namespace flotilla
