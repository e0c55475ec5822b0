#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace flotilla {

/// One page of a list, `Page` being `{items, optional next}`: of `items`, which hold one more than `limit` where there
/// are more, with `next` to ask for those behind it: the last one's key.
template <class Page, class Key = decltype(&decltype(Page::items)::value_type::id)>
Page page_of(decltype(Page::items) items, std::size_t limit, Key key = &decltype(Page::items)::value_type::id) {
    Page page{.items = std::move(items), .next = {}};
    if (page.items.size() <= limit) return page;
    page.items.resize(limit);
    page.next = std::invoke(key, page.items.back());
    return page;
}

} // namespace flotilla
