#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace flotilla::hub::consul {

/// How to take back what a transaction has changed so far. Who changes a map or a number that transactions reach says
/// so before; outside a transaction that costs a test of one flag. What it is told of must outlive the transaction.
/// Thread-safety: none.
class UndoLog {
public:
    void begin() { open_ = true; }
    /// The transaction has succeeded.
    void keep() {
        steps_.clear();
        open_ = false;
    }
    /// It has failed: everything is as it was at begin().
    void take_back() {
        for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
            (*step)();
        keep();
    }

    /// The entry of this key is about to be added, changed or removed.
    template <class Map, class Key>
    void entry(Map& map, const Key& key) {
        if (!open_) return;
        const auto found = map.find(key);
        auto before = found == map.end() ? std::nullopt : std::optional(found->second);
        steps_.push_back([&map, key = typename Map::key_type(key), before = std::move(before)]() mutable {
            if (before) {
                map.insert_or_assign(key, std::move(*before));
            } else {
                map.erase(key);
            }
        });
    }
    /// The entry at `at` goes; what it holds is moved, not copied.
    template <class Map>
    void erase(Map& map, typename Map::iterator at) {
        auto node = map.extract(at);
        if (!open_) return;
        steps_.push_back([&map, node = std::move(node)]() mutable { map.insert(std::move(node)); });
    }
    /// A number is about to change.
    template <class Number>
    void number(Number& number) {
        if (open_) steps_.push_back([&number, before = number] { number = before; });
    }

private:
    bool open_ = false;
    std::vector<std::move_only_function<void()>> steps_;
};

} // namespace flotilla::hub::consul
