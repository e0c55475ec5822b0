#include "examples/account/account.hpp"

#include <gtest/gtest.h>

#include <flotilla/testing/event_corpus.hpp>
#include <flotilla/testing/test_service.hpp>

#include "examples/account/domain/ledger.hpp"

namespace account::account_test {
namespace {

// Goal: an account is what was paid, and whoever has paid reads it in the list at once.
TEST(ExampleAccount, WhatWasPaidIsReadAtOnce) {
    TestService accounts{install};
    const auto opened = accounts.post("/accounts", {{"owner", "Ada"}});
    ASSERT_EQ(opened.status, 201) << opened.body;
    const std::string id(opened.json().at("id").as_string());
    for (int paid = 1; paid <= 20; ++paid) {
        ASSERT_EQ(accounts.post("/accounts/" + id + "/payments", {{"amount", 5}}).status, 201);
        const auto listed = accounts.get("/accounts?owner=Ada");
        ASSERT_EQ(listed.status, 200) << listed.body;
        EXPECT_EQ(listed.json().at(0).at("balance"), 5 * paid);
    }
    EXPECT_EQ(accounts.get("/accounts/" + id).json().at("balance"), 100);
    EXPECT_EQ(accounts.get("/accounts/nobody").status, 404);
}

// Goal: the rule of the domain decides, and a repeated request pays once.
TEST(ExampleAccount, NothingIsPaidOutTwiceOrWithoutCover) {
    TestService accounts{install};
    const std::string id(accounts.post("/accounts", {{"owner", "Ada"}}).json().at("id").as_string());
    const auto target = "/accounts/" + id + "/payments";
    ASSERT_EQ(accounts.post(target, {{"amount", 10}}, idempotency_key("in")).status, 201);
    for (int i = 0; i < 2; ++i)
        EXPECT_EQ(accounts.post(target, {{"amount", -6}}, idempotency_key("out")).json().at("balance"), 4);
    const auto refused = accounts.post(target, {{"amount", -6}});
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.json().at("code"), "not_covered");
}

// Goal: every event that was ever stored is read.
TEST(ExampleAccount, RecordedEventsAreRead) {
    const char* source = std::getenv("FLOTILLA_SOURCE");
    ASSERT_NE(source, nullptr) << "FLOTILLA_SOURCE names the project's folder";
    const auto faults = faults_of_event_corpus(std::filesystem::path(source) / "examples/account/events", {ledgers});
    EXPECT_EQ(faults, std::vector<std::string>());
}

} // namespace
} // namespace account::account_test
