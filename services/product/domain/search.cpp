#include "services/product/domain/search.hpp"

#include <algorithm>

#include <flotilla/base/ascii.hpp>
#include <flotilla/base/case_fold.hpp>

namespace product {
namespace {

/// Of several words: what is looked at for one page. Then the page is what was found so far.
constexpr int kHitsMax = 500;

bool is_part_of_word(char c) {
    return static_cast<unsigned char>(c) >= 0x80 || is_ascii_lower(c) || (c >= '0' && c <= '9');
}

std::optional<std::string> first_beginning_with(const std::vector<std::string>& sorted, const std::string& beginning) {
    const auto found = std::ranges::lower_bound(sorted, beginning);
    if (found == sorted.end() || !found->starts_with(beginning)) return {};
    return *found;
}

std::string place_of(const Hit& hit) { return hit.word + "/" + hit.id; }

} // namespace

std::vector<std::string> words_of(std::string_view text) {
    const auto folded = case_folded(text);
    std::vector<std::string> words;
    for (auto at = folded.begin(); at != folded.end();) {
        const auto end = std::find_if_not(at, folded.end(), is_part_of_word);
        if (end != at) words.emplace_back(at, end);
        at = std::find_if(end, folded.end(), is_part_of_word);
    }
    std::ranges::sort(words);
    words.erase(std::ranges::unique(words).begin(), words.end());
    return words;
}

Search::Search(std::vector<std::string> words, std::string_view after, int limit)
    : words_(std::move(words)), walked_(*std::ranges::max_element(words_, {}, &std::string::size)),
      after_word_(walked_), limit_(limit) {
    const auto slash = after.find('/');
    if (slash == std::string_view::npos || after.substr(0, slash) < walked_) return;
    after_word_ = after.substr(0, slash);
    after_id_ = after.substr(slash + 1);
}

// No word is behind the last character of all.
std::string Search::before_word() const { return walked_ + "\U0010FFFF"; }

int Search::hits_max() const { return words_.size() == 1 ? limit_ + 1 : kHitsMax; }

// A product is found once, at the first of its words that begin so.
bool Search::finds(const Hit& hit) const {
    const auto name = words_of(hit.name);
    if (first_beginning_with(name, walked_) != hit.word) return false;
    return std::ranges::all_of(words_, [&](const auto& word) { return first_beginning_with(name, word).has_value(); });
}

ProductPage Search::page_of(const std::vector<Hit>& hits) const {
    ProductPage page;
    const Hit* last = nullptr;
    for (const auto& hit : hits) {
        if (page.items.size() == static_cast<std::size_t>(limit_)) break;
        last = &hit;
        if (finds(hit)) page.items.push_back({hit.id, hit.name, hit.price, hit.in_stock});
    }
    const bool more = last && (last != &hits.back() || hits.size() == static_cast<std::size_t>(hits_max()));
    if (more) page.next = place_of(*last);
    return page;
}

} // namespace product
