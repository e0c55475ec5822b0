#include "demo/shop_client.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include <flotilla/base/json_value.hpp>

#include "bench/harness/server_process.hpp"
#include "bench/harness/socket.hpp"

namespace flotilla::demo {
namespace {

using boost::json::value;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kLookEvery = std::chrono::milliseconds(50);

value ask(std::uint16_t port, const char* method, const std::string& path, const value& body = nullptr) {
    const auto text = body.is_null() ? std::string() : json::write(body);
    const auto answer = bench::http_exchange(port, method, path, text);
    if (answer.status == 0) throw std::runtime_error(fmt::format("nobody answers at port {}", port));
    if (answer.status / 100 != 2)
        throw std::runtime_error(fmt::format("{} {}: {} {}", method, path, answer.status, answer.body));
    auto parsed = json::parse_value(answer.body);
    if (!parsed) throw std::runtime_error(fmt::format("{} {}: no JSON: {}", method, path, answer.body));
    return std::move(*parsed);
}

/// A member's text; empty where there is none.
std::string text_of(const value& object, std::string_view member) {
    const auto* found = object.as_object().if_contains(member);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

/// Looks until something is found. Throws when it is not in time.
template <class Look>
auto eventually(const std::string& what, Look look) {
    for (const auto end = Clock::now() + kPatience;; std::this_thread::sleep_for(kLookEvery)) {
        bench::check_interrupted();
        if (auto found = look()) return *std::move(found);
        if (Clock::now() > end) throw std::runtime_error("waited in vain for " + what);
    }
}

/// A payment's way there and back is one of several states: those in -ing pass.
std::string payment_of(const std::string& order, std::uint16_t port) {
    const auto answer = bench::http_exchange(port, "GET", "/payments/" + order);
    if (answer.status == 404) return {};
    return text_of(ask(port, "GET", "/payments/" + order), "status");
}

std::vector<Deed> deeds_of(const std::string& order, std::uint16_t port) {
    std::vector<Deed> deeds;
    const auto page = ask(port, "GET", "/sagaz/show?id=" + order);
    for (const auto& entry : page.at("history").as_array())
        deeds.push_back({text_of(entry, "event"), text_of(entry, "step"), text_of(entry, "detail")});
    return deeds;
}

std::vector<std::string> mails_about(const std::string& order, const std::string& address, std::uint16_t hub) {
    std::vector<std::string> subjects;
    const auto mails = ask(hub, "GET", "/mail/messages?limit=1000&to=" + address);
    for (const auto& mail : mails.as_array()) {
        if (const auto subject = text_of(mail, "subject"); subject.contains(order)) subjects.push_back(subject);
    }
    return subjects;
}

value wish(const Story& story, const std::string& user, const Ports& ports) {
    boost::json::object order{
        {"userId", user}, {"items", boost::json::array{{{"productId", story.product}, {"quantity", story.quantity}}}}};
    if (!story.card.empty()) {
        const auto card =
            ask(ports.gateway, "POST", "/api/cards", {{"number", story.card}, {"expiry", "12/39"}, {"cvc", "123"}});
        order["paymentMethod"] = text_of(card, "token");
    }
    if (!story.country.empty()) order["address"] = {{"country", story.country}};
    return order;
}

} // namespace

Ending play(const Story& story, const Ports& ports) {
    const auto address = fmt::format("{}-{}-{}@example.com", story.buyer, ::getpid(),
                                     std::chrono::system_clock::now().time_since_epoch().count());
    const auto user =
        text_of(ask(ports.gateway, "POST", "/api/users", {{"email", address}, {"name", story.buyer}}), "id");
    const auto placed = ask(ports.gateway, "POST", "/api/orders", wish(story, user, ports));
    Ending ending{.order = text_of(placed, "id")};
    const auto order = eventually("the end of order " + ending.order, [&]() -> std::optional<value> {
        auto now = ask(ports.gateway, "GET", "/api/orders/" + ending.order);
        return text_of(now, "status") == "PENDING" ? std::nullopt : std::optional(std::move(now));
    });
    ending.status = text_of(order, "status");
    ending.reason = text_of(order, "reason");
    ending.deeds = deeds_of(ending.order, ports.orders);
    ending.payment = payment_of(ending.order, ports.payments);
    ending.mails = eventually("a mail about order " + ending.order, [&]() -> std::optional<std::vector<std::string>> {
        auto mails = mails_about(ending.order, address, ports.hub);
        return mails.empty() ? std::nullopt : std::optional(std::move(mails));
    });
    return ending;
}

} // namespace flotilla::demo
