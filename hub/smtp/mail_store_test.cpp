#include "hub/smtp/mail_store.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>

#include "hub/smtp/recent_mails.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub::mail_store_test {
namespace {

using Recipients = std::vector<std::string>;

/// Runs a test's coroutine with an empty store, within ten seconds.
void with_store(task<void> (*body)(Context&, MailStore&)) {
    struct Run {
        static task<void> run(Context& context, std::string folder, task<void> (*body)(Context&, MailStore&)) {
            auto store = co_await MailStore::open(context, std::move(folder));
            if (!store) {
                ADD_FAILURE() << store.error().message();
                co_return;
            }
            co_await body(context, **store);
        }
    };
    const TemporaryFolder folder;
    Loop loop;
    Context context(loop.world());
    Context limited(context, std::chrono::seconds(10));
    loop.run_until_done(Run::run(limited, folder.path().string(), body));
}

IncomingMail mail(Recipients to, const std::string& text, const std::string& message_id = "1@x") {
    return {"a@x", std::move(to), "Message-ID: <" + message_id + ">\r\n\r\n" + text + "\r\n"};
}

// Goal: a repeat is counted, also one to fewer recipients; addresses are compared without case.
TEST(MailStore, RepeatIsCounted) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto first = co_await store.keep(context, mail({"b@y", "c@y"}, "one"));
        const auto again = co_await store.keep(context, mail({"b@y", "c@y"}, "one"));
        const auto fewer = co_await store.keep(context, mail({"C@Y"}, "one"));
        EXPECT_EQ(again.value(), first.value());
        EXPECT_EQ(fewer.value(), first.value());
        const auto mails = (co_await store.list(context, {})).value();
        if (mails.size() != 1) {
            ADD_FAILURE() << mails.size();
            co_return;
        }
        EXPECT_EQ(mails[0].received, 3);
        EXPECT_EQ(mails[0].to, (Recipients{"b@y", "c@y"}));
    });
}

// Goal: a mail is found by its recipient's address however that is written, in any script.
TEST(MailStore, RecipientIsFoundInOtherLetters) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto kept = co_await store.keep(context, mail({"ÉLISE@bücher.example"}, "one"));
        const auto again = co_await store.keep(context, mail({"élise@BÜCHER.example"}, "one"));
        EXPECT_EQ(again.value(), kept.value());
        for (const auto* to : {"élise@bücher.example", "e\u0301LISE@xn--bcher-kva.example"})
            EXPECT_EQ((co_await store.list(context, {.to = to})).value().size(), 1u) << to;
        EXPECT_TRUE((co_await store.list(context, {.to = "elise@bücher.example"})).value().empty());
    });
}

// Goal: the same mail to other recipients, as senders send it in parts, is found by each of them.
TEST(MailStore, SameMailToOthersGetsTheirAddresses) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto first = co_await store.keep(context, mail({"b@y"}, "one"));
        const auto part = co_await store.keep(context, mail({"B@y", "c@y"}, "one"));
        EXPECT_EQ(part.value(), first.value());
        EXPECT_EQ((co_await store.list(context, {})).value().size(), 1u);
        const auto found = (co_await store.list(context, {.to = "c@y"})).value();
        if (found.size() != 1) {
            ADD_FAILURE() << found.size();
            co_return;
        }
        EXPECT_EQ(found[0].id, first.value());
        EXPECT_EQ(found[0].to, (Recipients{"b@y", "c@y"}));
        EXPECT_EQ(found[0].received, 1);
    });
}

// Goal: another mail with a known Message-ID is kept as a mail of its own, also to the same recipient; a repeat of it
// is its own, too.
TEST(MailStore, OtherMailWithAKnownMessageIdIsKept) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto first = co_await store.keep(context, mail({"b@y"}, "one"));
        const auto second = co_await store.keep(context, mail({"b@y"}, "two"));
        const auto repeat = co_await store.keep(context, mail({"b@y"}, "two"));
        EXPECT_NE(first.value(), second.value());
        EXPECT_EQ(repeat.value(), second.value());
        auto resent = mail({"b@y"}, "two");
        resent.sender = "other@x";
        EXPECT_NE((co_await store.keep(context, resent)).value(), second.value());
        auto subject = mail({"b@y"}, "two");
        subject.data = "Subject: new\r\n" + subject.data;
        EXPECT_NE((co_await store.keep(context, subject)).value(), second.value());
        EXPECT_EQ((co_await store.list(context, {.to = "b@y"})).value().size(), 4u);
        const auto found = (co_await store.find(context, second.value())).value();
        EXPECT_TRUE(found && found->text.starts_with("two"));
        EXPECT_EQ((co_await store.clear(context)).value(), 4);
    });
}

// Goal: a client that did not see our 250 sends the mail again: with another Date, by another way, folded differently,
// it is the same mail.
TEST(MailStore, RepeatMayDifferInWhatTriesDifferIn) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto tried = [](const std::string& way) {
            return IncomingMail{"a@x", {"b@y"}, way + "Message-ID: <1@x>\r\nSubject: hello you\r\n\r\nhi\r\n"};
        };
        const auto first = co_await store.keep(context, tried("Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"));
        for (const char* way : {"Date: Thu, 01 Jan 2026 00:00:07 +0000\r\n", "",
                                "Received: from a\r\n by b; today\r\nReturn-Path: <a@x>\r\nDATE: now\r\n"})
            EXPECT_EQ((co_await store.keep(context, tried(way))).value(), first.value()) << way;
        auto folded = tried("");
        folded.data.replace(folded.data.find(" you"), 1, "\r\n ");
        EXPECT_EQ((co_await store.keep(context, folded)).value(), first.value());
        EXPECT_EQ((co_await store.list(context, {})).value().at(0).received, 5);
    });
}

// Goal: lists are read page by page, newest last, and by address however it is spelled; raw are the bytes that came.
TEST(MailStore, ListsArePaged) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        std::vector<std::string> ids;
        for (int i = 0; i < 5; ++i) {
            const std::string id = std::to_string(i) + "@x";
            ids.push_back((co_await store.keep(context, mail({i % 2 ? "odd@y" : "\"Even one\"@y"}, "x", id))).value());
        }
        const auto ids_of = [](const Result<std::vector<MailSummary>>& mails) {
            std::vector<std::string> listed;
            for (const auto& each : mails.value())
                listed.push_back(each.id);
            return listed;
        };
        EXPECT_EQ(ids_of(co_await store.list(context, {.limit = 2})), (Recipients{ids[3], ids[4]}));
        EXPECT_EQ(ids_of(co_await store.list(context, {.limit = 2, .before = ids[3]})), (Recipients{ids[1], ids[2]}));
        EXPECT_EQ(ids_of(co_await store.list(context, {.to = "\"even\\ one\"@Y", .limit = 2, .before = ids[4]})),
                  (Recipients{ids[0], ids[2]}));
        const auto unknown = co_await store.list(context, {.before = "none"});
        EXPECT_TRUE(!unknown && unknown.error().code() == "mail_not_found");
        IncomingMail bytes{"a@x", {"b@y"}, std::string("Subject: \xFF\r\n\r\n\0\x80\r\n", 17)};
        const auto id = (co_await store.keep(context, bytes)).value();
        EXPECT_EQ((co_await store.raw(context, id)).value(), bytes.data);
        EXPECT_EQ((co_await store.raw(context, "none")).value(), std::nullopt);
    });
}

// Goal: mails to one address are found, newest last and paged, also with thousands of others between them.
TEST(MailStore, AddressIsFoundAmongMany) {
    const TemporaryFolder folder;
    struct Run {
        static Result<std::int64_t> fill(Transaction& tx) {
            auto added =
                tx.execute("INSERT INTO mails SELECT n, 'id' || n, '', 'm', 's', '[]', 's', 'd', n, 1, 1, n, 'r' "
                           "FROM (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 9000) "
                           "SELECT n FROM c)");
            if (!added) return added;
            return tx.execute("INSERT INTO mail_recipients SELECT number / 4096, "
                              "CASE WHEN number % 3000 = 0 THEN 'rare@y' ELSE number || '@y' END, number FROM mails");
        }
        static task<void> run(Context& context, std::string path) {
            {
                auto database = open_database(context.world(), "sqlite:" + path + "/mail.db", "hub-mail").value();
                EXPECT_TRUE(co_await database->migrate(context, "mail", MailStore::migrations()));
                EXPECT_TRUE(co_await database->transact(context, &Run::fill));
            }
            auto store = (co_await MailStore::open(context, path)).value();
            const auto found = [&](MailQuery query) -> task<std::string> {
                std::string ids;
                for (const auto& each : (co_await store->list(context, query)).value())
                    ids += each.id + " ";
                co_return ids;
            };
            EXPECT_EQ(co_await found({.to = "Rare@y"}), "id3000 id6000 id9000 ");
            EXPECT_EQ(co_await found({.to = "rare@y", .limit = 2}), "id6000 id9000 ");
            EXPECT_EQ(co_await found({.to = "rare@y", .limit = 1, .before = "id9000"}), "id6000 ");
            EXPECT_EQ(co_await found({.to = "rare@y", .before = "id3000"}), "");
            EXPECT_EQ(co_await found({.to = "4095@y"}), "id4095 ");
            EXPECT_EQ(co_await found({.to = "4096@y"}), "id4096 ");
            EXPECT_EQ(co_await found({.to = "nobody@y"}), "");
        }
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(Run::run(context, folder.path().string()));
}

// Goal: what a list shows of a mail is bounded, however long its fields are.
TEST(MailStore, ListedFieldsAreBounded) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        std::string words;
        for (int i = 0; i < 30'000; ++i)
            words += "=?koi8-r?q?=F0?= x ";
        IncomingMail large{"a@x", {"b@y"}, "Subject: " + words + "\r\nFrom: " + words + "\r\n\r\n"};
        EXPECT_TRUE(co_await store.keep(context, large));
        const auto listed = (co_await store.list(context, {})).value().at(0);
        EXPECT_TRUE(listed.subject.starts_with("П x П x"));
        EXPECT_LE(listed.subject.size() + listed.from.size(), 2000u);
    });
}

// Goal: a file of the version before keeps its mails, their order, addresses and how much there is.
TEST(MailStore, FileOfBeforeIsTakenOver) {
    const TemporaryFolder folder;
    struct Run {
        static task<void> run(Context& context, std::string path) {
            {
                auto old = open_database(context.world(), "sqlite:" + path + "/mail.db", "hub-mail").value();
                EXPECT_TRUE(co_await old->migrate(context, "mail", MailStore::migrations().first(2)));
                auto filled = co_await old->transact(context, [](Transaction& tx) -> Result<std::int64_t> {
                    for (int i = 3; i > 0; --i) {
                        const std::string id = "id" + std::to_string(i);
                        auto added =
                            tx.execute("INSERT INTO mails VALUES ($1, 'm', 's', '[\"b@y\"]', 'sub', 'd', $2, 1, "
                                       "10, 'raw')",
                                       id, 4 - i);
                        if (!added) return added;
                        added = tx.execute("INSERT INTO mail_recipients VALUES ('b@y', $1)", id);
                        if (!added) return added;
                    }
                    return tx.execute("UPDATE mail_totals SET mails = 3, bytes = 30");
                });
                EXPECT_TRUE(filled);
            }
            auto store = co_await MailStore::open(context, path, {.bytes_max = 50});
            const auto mails = (co_await (*store)->list(context, {.to = "b@y"})).value();
            EXPECT_EQ(mails.size(), 3u);
            EXPECT_EQ(mails.at(0).id + mails.at(2).id, "id3id1");
            EXPECT_EQ((co_await (*store)->raw(context, "id2")).value(), "raw");
            EXPECT_TRUE(co_await (*store)->keep(context, {"a@x", {"c@y"}, std::string(20, 'x')}));
            const auto refused = co_await (*store)->keep(context, {"a@x", {"c@y"}, "x"});
            EXPECT_TRUE(!refused && refused.error().code() == "mailbox_full") << "50 bytes are kept";
            EXPECT_EQ((co_await (*store)->clear(context)).value(), 4);
        }
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(Run::run(context, folder.path().string()));
}

/// A statement with ones in the places of its parameters.
std::string with_values(std::string_view statement) {
    std::string text;
    for (const char c : statement) {
        const bool of_parameter = std::isdigit(static_cast<unsigned char>(c)) != 0 && text.ends_with('$');
        if (!of_parameter) text += c;
    }
    for (char& c : text)
        c = c == '$' ? '1' : c;
    return text;
}

// Goal: the newest mails are known by their content, so many and no more; a number that is given anew stands for the
// mail that has it now.
TEST(RecentMails, NewestAreKnown) {
    const auto fingerprint = [](std::int64_t number) { return fmt::format("{:016x}{:016x}", number * 7919, number); };
    RecentMails recent;
    for (std::int64_t number = 1; number <= RecentMails::kMailsMax + 10; ++number)
        recent.add(number, fingerprint(number));
    EXPECT_EQ(recent.find(fingerprint(10)), std::nullopt);
    EXPECT_EQ(recent.find(fingerprint(11)), 11);
    EXPECT_EQ(recent.find(fingerprint(RecentMails::kMailsMax + 10)), RecentMails::kMailsMax + 10);
    recent.add(11, fingerprint(1'000'000)); // everything was deleted: numbers begin anew
    EXPECT_EQ(recent.find(fingerprint(11)), std::nullopt);
    EXPECT_EQ(recent.find(fingerprint(1'000'000)), 11);
    recent.add(12, "");
    EXPECT_EQ(recent.find(""), std::nullopt);
    EXPECT_EQ(recent.find(fingerprint(12)), 12);
}

/// A row of EXPLAIN QUERY PLAN.
struct PlanStep {
    std::int64_t id, parent, notused;
    std::string detail;
};

// Goal: what a mail, a page or a look-up costs does not grow with what is kept: no statement scans or sorts a table.
TEST(MailStore, NoStatementScans) {
    const TemporaryFolder folder;
    struct Run {
        static task<void> run(Context& context, std::string path) {
            auto database = open_database(context.world(), "sqlite:" + path + "/mail.db", "hub-mail").value();
            EXPECT_TRUE(co_await database->migrate(context, "mail", MailStore::migrations()));
            for (const std::string_view statement : MailStore::statements()) {
                if (statement.starts_with("DELETE FROM")) continue; // everything goes, and that costs what it is
                const auto steps =
                    co_await database->transact(context, [sql = "EXPLAIN QUERY PLAN " + with_values(statement)](
                                                             Transaction& tx) { return tx.select<PlanStep>(sql); });
                EXPECT_TRUE(steps) << statement;
                if (!steps) continue;
                for (const auto& [id, parent, notused, detail] : *steps) {
                    // Without a condition these read from the end, and so many as the limit says.
                    const bool newest =
                        (detail == "SCAN mails" && statement.ends_with("ORDER BY number DESC LIMIT 1")) ||
                        (detail == "SCAN mails USING COVERING INDEX mails_by_id" &&
                         statement.ends_with("ORDER BY id DESC LIMIT $1"));
                    const bool scans = detail.starts_with("SCAN") && detail.find("mail") != std::string::npos;
                    EXPECT_TRUE(!scans || newest) << statement << ": " << detail;
                    EXPECT_EQ(detail.find("TEMP B-TREE"), std::string::npos) << statement << ": " << detail;
                    EXPECT_EQ(detail.find("AUTOMATIC"), std::string::npos) << statement << ": " << detail;
                }
            }
        }
    };
    Loop loop;
    Context context(loop.world());
    loop.run_until_done(Run::run(context, folder.path().string()));
}

} // namespace
} // namespace flotilla::hub::mail_store_test
