#pragma once

#include <string>

#include <flotilla/contract/endpoint.hpp>

/// The smallest service worth measuring: one endpoint, one small struct. Its peers in bench/peers answer the same.
/// And one that costs something: about a millisecond of CPU, so that a load can ask for more than there is.
namespace item {

using namespace flotilla;

struct ItemId {
    std::string id;
};
struct Item {
    std::string id, name;
    int quantity = 0;
    bool in_stock = false;
};

inline constexpr Service service{"item-service"};
inline constexpr Endpoint<ItemId, Item> get{service, Method::get, "/items/{id}", {.summary = "Get an item"}};
inline constexpr Endpoint<ItemId, Item> work{
    service, Method::get, "/work/{id}", {.summary = "Get an item that has to be computed"}};

} // namespace item
