#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flotilla::demo {

/// One thing that a service was asked for an order, as the saga's history tells it.
struct Deed {
    std::string event;  ///< "done", "refused", "undone", "unknown", ...
    std::string step;   ///< "payment.reserve"; empty: about the whole
    std::string detail; ///< why, or what came of it
};

/// What a story has come to.
struct Ending {
    std::string order;
    std::string status; ///< "CONFIRMED", "CANCELLED", "PENDING"
    std::string reason; ///< why it was cancelled
    std::vector<Deed> deeds;
    std::string payment;            ///< "CAPTURED", "CANCELLED", ...; empty: there is none
    std::vector<std::string> mails; ///< subjects
};

/// An order that somebody places, and how it should end.
struct Story {
    std::string_view title; ///< "Ada buys two lamps"
    std::string_view plot;  ///< what will happen, and why
    std::string_view buyer; ///< first name
    std::string_view card;  ///< number; empty: the sandbox's own good card
    std::string_view product = "p-0001";
    int quantity = 2;
    std::string_view country = ""; ///< where it is sent; empty: within the shop's own
    // As it should end.
    std::string_view status;
    std::string_view reason;              ///< a part of it
    std::vector<std::string_view> undone; ///< compensations, in the order in which they ran
    std::string_view payment;
    std::string_view moral; ///< what can be learned from it
};

const std::vector<Story>& stories();

/// The ending as lines for a terminal.
std::string told(const Story& story, const Ending& ending);
/// What is not as it should be, a line each; empty: all well.
std::vector<std::string> faults_in(const Story& story, const Ending& ending);

} // namespace flotilla::demo
