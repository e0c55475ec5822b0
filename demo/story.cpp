#include "demo/story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/terminal.hpp"

namespace flotilla::demo {
namespace {

constexpr std::string_view kDeclinedCard = "4000 0000 0000 0002";

struct Sentences {
    std::string_view done, undone;
};

/// What a service has done, in words.
const std::map<std::string, Sentences, std::less<>> kSentences{
    {"payment.reserve",
     {"payment-service has the money reserved on the card",
      "payment-service lets the money go: nothing was charged, so there is nothing to refund"}},
    {"inventory.reserve", {"inventory-service sets the pieces aside", "inventory-service puts the pieces back"}},
    {"shipping.schedule", {"shipping-service has found a carrier", "shipping-service calls the carrier off"}},
    {"payment.capture", {"payment-service charges the card: from here on the order goes through", ""}},
    {"inventory.commit", {"inventory-service hands the pieces over", ""}},
    {"confirm", {"order-service confirms the order", ""}}};

/// What is shown of a deed; empty: nothing.
cli::Row row_of(const Deed& deed) {
    const auto words = kSentences.find(deed.step);
    if (words == kSentences.end()) return {};
    const auto line = [&](std::string_view mark, std::string_view colour, std::string text) {
        return cli::Row{.cells = {{std::string(mark), colour}, {deed.step}, {std::move(text)}}};
    };
    if (deed.event == "done") return line("✓", cli::green(), std::string(words->second.done));
    if (deed.event == "undone") return line("↩", cli::yellow(), std::string(words->second.undone));
    if (deed.event == "refused") return line("✗", cli::red(), deed.detail);
    if (deed.event == "unknown") return line("?", cli::yellow(), deed.detail);
    return {};
}

} // namespace

const std::vector<Story>& stories() {
    static const std::vector<Story> all{
        {.title = "Ada buys two lamps",
         .plot = "All goes well.",
         .buyer = "Ada",
         .card = "",
         .status = "CONFIRMED",
         .reason = "",
         .undone = {},
         .payment = "CAPTURED",
         .moral = "One commit of order-service each; whatever is killed meanwhile, it goes on from there."},
        {.title = "Bob's card is declined",
         .plot = "The first step is refused: nothing was done, so nothing has to be undone.",
         .buyer = "Bob",
         .card = kDeclinedCard,
         .status = "CANCELLED",
         .reason = "declined",
         .undone = {},
         .payment = "DECLINED",
         .moral = "Declined is an answer, not a failure: nobody asks again."},
        {.title = "Cleo wants more than there is",
         .plot = "The money is held when inventory-service finds itself out of stock.",
         .buyer = "Cleo",
         .card = "",
         .product = "p-0002",
         .quantity = 1000,
         .status = "CANCELLED",
         .reason = "out of stock",
         .undone = {"payment.reserve"},
         .payment = "CANCELLED",
         .moral = "The card was never charged."},
        {.title = "Dan lives where nobody ships",
         .plot = "Money and pieces are held when shipping-service finds no way to his island.",
         .buyer = "Dan",
         .card = "",
         .product = "p-0003",
         .quantity = 1,
         .country = "XX",
         .status = "CANCELLED",
         .reason = "not ship",
         .undone = {"inventory.reserve", "payment.reserve"},
         .payment = "CANCELLED",
         .moral = "Compensations run last to first. The card is charged only once everything else is certain."}};
    return all;
}

std::string told(const Story& story, const Ending& ending) {
    std::vector<cli::Row> rows;
    for (const auto& deed : ending.deeds) {
        if (auto row = row_of(deed); !row.cells.empty()) rows.push_back(std::move(row));
    }
    auto text = cli::aligned(rows);
    const auto colour = ending.status == "CONFIRMED" ? cli::green() : cli::yellow();
    text += fmt::format("  The order is {}{}{}", colour, ending.status, cli::plain());
    if (!ending.reason.empty()) text += fmt::format(": {}", ending.reason);
    text += "\n";
    for (const auto& subject : ending.mails)
        text += fmt::format("  {} gets a mail: “{}”\n", story.buyer, subject);
    return text + fmt::format("  {}{}{}\n", cli::dim(), story.moral, cli::plain());
}

std::vector<std::string> faults_in(const Story& story, const Ending& ending) {
    std::vector<std::string> faults;
    const auto expect = [&](bool fine, std::string fault) {
        if (!fine) faults.push_back(std::move(fault));
    };
    expect(ending.status == story.status,
           fmt::format("the order should be {}, and is {} {}", story.status, ending.status, ending.reason));
    expect(ending.reason.contains(story.reason),
           fmt::format("the reason should tell of \"{}\", and is \"{}\"", story.reason, ending.reason));
    std::vector<std::string> undone;
    for (const auto& deed : ending.deeds) {
        if (deed.event == "undone") undone.push_back(deed.step);
    }
    expect(std::ranges::equal(undone, story.undone),
           fmt::format("undone should be [{}], and is [{}]", fmt::join(story.undone, ", "), fmt::join(undone, ", ")));
    expect(ending.payment == story.payment,
           fmt::format("the payment should be {}, and is {}", story.payment, ending.payment));
    expect(!ending.mails.empty(), "there should be a mail about it, and there is none");
    return faults;
}

} // namespace flotilla::demo
