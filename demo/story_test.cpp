#include "demo/story.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/terminal.hpp"

namespace flotilla::demo::story_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Dan's: shipping is refused.
Ending undone() {
    return {.order = "o-1",
            .status = "CANCELLED",
            .reason = "shipping.schedule: We do not ship to XX",
            .deeds = {{"started", "", ""},
                      {"done", "payment.reserve", ""},
                      {"done", "inventory.reserve", ""},
                      {"refused", "shipping.schedule", "We do not ship to XX"},
                      {"undone", "inventory.reserve", ""},
                      {"undone", "payment.reserve", ""}},
            .payment = "CANCELLED",
            .mails = {"Your order o-1 was cancelled"}};
}

// Goal: what each service did is told in its order, with what was refused and what was undone.
TEST(Story, TellsWhatEachServiceDid) {
    cli::set_coloured(false);
    const auto text = told(stories()[3], undone());
    EXPECT_THAT(text, HasSubstr("✗  shipping.schedule  We do not ship to XX\n"));
    EXPECT_THAT(text, HasSubstr("↩  inventory.reserve  inventory-service puts the pieces back\n"));
    EXPECT_THAT(text, HasSubstr("nothing to refund"));
    EXPECT_THAT(text, HasSubstr("Dan gets a mail: “Your order o-1 was cancelled”"));
    EXPECT_THAT(faults_in(stories()[3], undone()), IsEmpty());
}

// Goal: whatever is not as it should be is a fault: status, reason, compensations and their order, money, mail.
TEST(Story, WhatIsNotAsItShouldBeIsAFault) {
    auto ending = undone();
    std::swap(ending.deeds[4], ending.deeds[5]);
    ending.status = "CONFIRMED";
    ending.reason = "";
    ending.payment = "CAPTURED";
    ending.mails.clear();
    EXPECT_THAT(faults_in(stories()[3], ending),
                ElementsAre(HasSubstr("should be CANCELLED"), HasSubstr("should tell of \"not ship\""),
                            HasSubstr("and is [payment.reserve, inventory.reserve]"),
                            HasSubstr("should be CANCELLED, and is CAPTURED"), HasSubstr("a mail")));
}

} // namespace
} // namespace flotilla::demo::story_test
