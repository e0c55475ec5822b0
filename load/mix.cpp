#include "load/mix.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>

#include <flotilla/base/json.hpp>

#include "bench/harness/socket.hpp"

namespace flotilla::load {
namespace {

using bench::Stream;

constexpr int kUsers = 50;
constexpr int kPosts = 200;

/// One of them, each as likely.
const std::string& one_of(const std::vector<std::string>& all, std::mt19937_64& random) {
    return all[std::uniform_int_distribution<std::size_t>(0, all.size() - 1)(random)];
}

std::string get(const Shop& shop, std::string_view path) {
    return fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", path, shop.gateway);
}

std::string post(const Shop& shop, std::string_view path, std::string_view body, std::string_view fields = {}) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n{}"
                       "Content-Length: {}\r\n\r\n{}",
                       path, shop.gateway, fields, body.size(), body);
}

std::string order(const Shop& shop, std::mt19937_64& random) {
    const auto body = fmt::format(R"({{"userId":"{}","items":[{{"productId":"{}","quantity":1}}]}})",
                                  one_of(shop.users, random), one_of(shop.products, random));
    return post(shop, "/api/orders", body, fmt::format("Idempotency-Key: load-{}-{:016x}\r\n", shop.run, random()));
}

// What Online Boutique's load generator asks for, carried over to our paths with its shares: its pages of products are
// reads of a product, its basket and shipping costs are quotes.
std::vector<Stream> shop_streams(const Shop& shop, std::mt19937_64& random) {
    return {{"product", 13, [&] { return get(shop, "/api/products/" + one_of(shop.products, random)); }},
            {"quote", 6,
             [&] {
                 return post(
                     shop, "/api/quotes",
                     fmt::format(R"({{"items":[{{"productId":"{}","quantity":1}}]}})", one_of(shop.products, random)));
             }},
            {"search", 2, [&] { return get(shop, "/api/products?query=" + one_of(shop.words, random)); }},
            {"products", 1, [&] { return get(shop, "/api/products?limit=20"); }},
            {"order", 1, [&] { return order(shop, random); }}};
}

// DeathStarBench's social network: 60 % home timelines, 30 % user timelines, 10 % new posts.
std::vector<Stream> social_streams(const Shop& shop, std::mt19937_64& random) {
    return {{"home", 60, [&] { return get(shop, "/api/users/" + one_of(shop.users, random) + "/posts"); }},
            {"user's posts", 30, [&] { return get(shop, "/api/posts?userId=" + one_of(shop.users, random)); }},
            {"new post", 10, [&] {
                 return post(shop, "/api/posts",
                             fmt::format(R"({{"userId":"{}","text":"Wind from {}"}})", one_of(shop.users, random),
                                         random() % 360));
             }}};
}

std::vector<Stream> order_streams(const Shop& shop, std::mt19937_64& random) {
    return {{"order", 1, [&] { return order(shop, random); }},
            {"dashboard", 1, [&] { return get(shop, "/api/users/" + one_of(shop.users, random) + "/dashboard"); }}};
}

template <class T>
T asked(const Shop& shop, const char* method, const std::string& path, const std::string& body = {}) {
    const auto answer = bench::http_exchange(shop.gateway, method, path, body);
    auto parsed = answer.status / 100 == 2 ? json::parse<T>(answer.body) : Result<T>(Error(Kind::internal, ""));
    if (!parsed)
        throw std::runtime_error(answer.status == 0
                                     ? fmt::format("nobody answers at port {}", shop.gateway)
                                     : fmt::format("{} {}: {} {}", method, path, answer.status, answer.body));
    return std::move(*parsed);
}

struct Named {
    std::string id;
    std::optional<std::string> name;
    std::optional<bool> in_stock;
};
struct Page {
    std::vector<Named> items;
};

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words(1);
    for (const char c : text) {
        if (std::isalpha(static_cast<unsigned char>(c)))
            words.back() += c;
        else if (!words.back().empty())
            words.emplace_back();
    }
    if (words.back().empty()) words.pop_back();
    return words;
}

} // namespace

const std::vector<Mix>& mixes() {
    static const std::vector<Mix> all{
        {"shop", "browsing and buying: product 13, quote 6, search 2, products 1, order 1", false, shop_streams},
        {"social", "timelines and posts: 60, 30, 10 %", true, social_streams},
        {"orders", "orders and dashboards, one each", false, order_streams}};
    return all;
}

Shop prepare(std::uint16_t gateway, bool posts) {
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    Shop shop{.gateway = gateway, .run = fmt::format("{:x}-{:x}", ::getpid(), now)};
    for (const auto& product : asked<Page>(shop, "GET", "/api/products?limit=100").items) {
        if (product.in_stock.value_or(true)) shop.products.push_back(product.id);
        for (auto& word : words_of(product.name.value_or("")))
            shop.words.push_back(std::move(word));
    }
    if (shop.products.empty() || shop.words.empty()) throw std::runtime_error("the catalogue is empty");
    for (int i = 0; i < kUsers; ++i) {
        const auto body = fmt::format(R"({{"email":"load-{}-{}@example.com","name":"Load {}"}})", shop.run, i, i);
        shop.users.push_back(asked<Named>(shop, "POST", "/api/users", body).id);
    }
    for (int i = 0; posts && i < kPosts; ++i) {
        const auto body =
            fmt::format(R"({{"userId":"{}","text":"Day {}"}})", shop.users[static_cast<std::size_t>(i % kUsers)], i);
        asked<Named>(shop, "POST", "/api/posts", body);
    }
    return shop;
}

} // namespace flotilla::load
