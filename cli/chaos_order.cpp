#include "cli/chaos_order.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <flotilla/base/nearest_name.hpp>

namespace flotilla::cli {
namespace {

struct Verb {
    std::string_view name;
    ChaosAction action;
    std::string_view arguments; ///< as they are told
    std::size_t words_min, words_max;
    std::string_view inside = {}; ///< what it needs the doing of; empty: nobody's
};

constexpr std::string_view kServices = "inside services";
constexpr std::string_view kCallers = "from services and the gateway to services";

constexpr Verb kVerbs[] = {
    {"kill", ChaosAction::kill, "INSTANCE", 1, 1},
    {"stop", ChaosAction::stop, "INSTANCE", 1, 1},
    {"slow", ChaosAction::slow, "INSTANCE MS", 2, 2, kServices},
    {"fail", ChaosAction::fail, "INSTANCE PERCENT", 2, 2, kServices},
    {"cut", ChaosAction::cut, "A B", 2, 2, kCallers},
    {"heal", ChaosAction::heal, "[INSTANCE]", 0, 1},
};

Error wrong(std::string message) { return {Kind::invalid, std::move(message)}; }

Result<const Verb*> read_verb(const std::string& word) {
    const auto* verb = std::ranges::find(kVerbs, word, &Verb::name);
    if (verb != std::end(kVerbs)) return verb;
    std::vector<std::string_view> names;
    for (const auto& each : kVerbs)
        names.push_back(each.name);
    auto message = "unknown action '" + word + "'" + did_you_mean(word, names);
    if (nearest_name(word, names).empty()) message += "; there are kill, stop, slow, fail, cut and heal";
    return wrong(std::move(message));
}

/// The members that a word stands for: one by its name, or all of a service.
Result<std::vector<std::string>> read_members(const std::string& word, const std::vector<std::string>& members) {
    if (std::ranges::find(members, word) != members.end()) return std::vector{word};
    std::vector<std::string> found;
    std::ranges::copy_if(members, std::back_inserter(found),
                         [&](const auto& each) { return service_of(each) == word; });
    if (!found.empty()) return found;
    return Error(Kind::not_found, "the fleet has no '" + word + "'" + did_you_mean(word, members));
}

Result<std::string> read_one(const std::string& word, const std::vector<std::string>& members) {
    auto found = read_members(word, members);
    if (!found) return std::move(found.error());
    if (found->size() == 1) return found->front();
    std::string names;
    for (const auto& each : *found)
        names += (names.empty() ? "" : each == found->back() ? " or " : ", ") + each;
    return wrong(word + " has " + std::to_string(found->size()) + " instances; say which: " + names);
}

Result<std::int64_t> read_amount(const std::string& word, std::string_view what, std::int64_t largest) {
    std::int64_t amount = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), amount);
    if (error == std::errc() && end == word.data() + word.size() && amount >= 1 && amount <= largest) return amount;
    return wrong("expected " + std::string(what) + ", 1.." + std::to_string(largest) + ", found '" + word + "'");
}

Result<void> check_services(const Verb& verb, const std::vector<std::string>& members, bool gateway) {
    for (const auto& member : members) {
        if (member == "hub" || (member == "gateway" && !gateway))
            return wrong(std::string(verb.name) + " works " + std::string(verb.inside) + ", and " + member +
                         " is none");
    }
    return {};
}

Result<ChaosOrder> read_cut(const std::vector<std::string>& words, const std::vector<std::string>& members) {
    auto whom = read_members(words[1], members);
    if (!whom) return std::move(whom.error());
    auto from = read_members(words[2], members);
    if (!from) return std::move(from.error());
    return ChaosOrder{.action = ChaosAction::cut, .members = std::move(*whom), .from = std::move(*from)};
}

/// The order of a verb that has as many words as it takes.
Result<ChaosOrder> read_words(const Verb& verb, const std::vector<std::string>& words,
                              const std::vector<std::string>& members) {
    if (verb.action == ChaosAction::cut) return read_cut(words, members);
    ChaosOrder order{.action = verb.action};
    if (verb.action == ChaosAction::heal) {
        if (words.size() == 1) return ChaosOrder{.action = verb.action, .members = members};
        auto whom = read_members(words[1], members);
        if (!whom) return std::move(whom.error());
        order.members = std::move(*whom);
        return order;
    }
    auto whom = read_one(words[1], members);
    if (!whom) return std::move(whom.error());
    order.members = {std::move(*whom)};
    if (words.size() < 3) return order;
    const bool slow = verb.action == ChaosAction::slow;
    auto amount = read_amount(words[2], slow ? "milliseconds" : "percent of requests", slow ? 600'000 : 100);
    if (!amount) return std::move(amount.error());
    order.amount = *amount;
    return order;
}

} // namespace

std::string_view service_of(std::string_view member) { return member.substr(0, member.find('.')); }

Result<ChaosOrder> read_chaos_order(const std::vector<std::string>& words, const std::vector<std::string>& members) {
    auto verb = read_verb(words.front());
    if (!verb) return std::move(verb.error());
    const auto& [name, action, arguments, words_min, words_max, inside] = **verb;
    if (words.size() - 1 < words_min || words.size() - 1 > words_max)
        return wrong("write it as " + std::string(name) + " " + std::string(arguments));
    auto order = read_words(**verb, words, members);
    if (!order || inside.empty()) return order;
    const bool calls = order->action == ChaosAction::cut;
    if (auto checked = check_services(**verb, order->members, calls); !checked) return std::move(checked.error());
    if (auto checked = check_services(**verb, order->from, false); !checked) return std::move(checked.error());
    return order;
}

} // namespace flotilla::cli
