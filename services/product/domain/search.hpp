#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/product/api/product.hpp"

namespace product {

/// A product under one word of its name, as the index has it.
struct Hit {
    std::string word;
    std::string id, name;
    Money price;
    bool in_stock = false;
};

/// The words of a text, case folded, sorted, each once. What is neither a letter nor a digit parts them.
std::vector<std::string> words_of(std::string_view text);

/// A search walks over the hits of one word, in the order of words and ids, and looks at a bounded number for a page.
/// Thread-safety: a value.
class Search {
public:
    /// Requires: at least one word. `after`: `next` of the page before.
    Search(std::vector<std::string> words, std::string_view after, int limit);

    // The hits to look at: after (word, id), before a word, at most so many.
    const std::string& after_word() const { return after_word_; }
    const std::string& after_id() const { return after_id_; }
    std::string before_word() const;
    int hits_max() const;

    ProductPage page_of(const std::vector<Hit>& hits) const;

private:
    bool finds(const Hit& hit) const;

    std::vector<std::string> words_;
    std::string walked_; ///< the longest word: it is in the fewest names
    std::string after_word_, after_id_;
    int limit_;
};

} // namespace product
