#include "hub/smtp/mail_store.hpp"

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>

#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub {
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
        const auto mails = (co_await store.list(context, "", 10)).value();
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
            EXPECT_EQ((co_await store.list(context, to, 10)).value().size(), 1u) << to;
        EXPECT_TRUE((co_await store.list(context, "elise@bücher.example", 10)).value().empty());
    });
}

// Goal: the same mail to other recipients, as senders send it in parts, is found by each of them.
TEST(MailStore, SameMailToOthersGetsTheirAddresses) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto first = co_await store.keep(context, mail({"b@y"}, "one"));
        const auto part = co_await store.keep(context, mail({"B@y", "c@y"}, "one"));
        EXPECT_EQ(part.value(), first.value());
        EXPECT_EQ((co_await store.list(context, "", 10)).value().size(), 1u);
        const auto found = (co_await store.list(context, "c@y", 10)).value();
        if (found.size() != 1) {
            ADD_FAILURE() << found.size();
            co_return;
        }
        EXPECT_EQ(found[0].id, first.value());
        EXPECT_EQ(found[0].to, (Recipients{"b@y", "c@y"}));
        EXPECT_EQ(found[0].received, 1);
    });
}

// Goal: another mail with a known Message-ID, to others, is kept as a mail of its own; a repeat of it is its own, too.
TEST(MailStore, OtherMailWithAKnownMessageIdIsKept) {
    with_store([](Context& context, MailStore& store) -> task<void> {
        const auto first = co_await store.keep(context, mail({"b@y"}, "one"));
        const auto second = co_await store.keep(context, mail({"c@y"}, "two"));
        const auto repeat = co_await store.keep(context, mail({"c@y"}, "two"));
        EXPECT_NE(first.value(), second.value());
        EXPECT_EQ(repeat.value(), second.value());
        EXPECT_EQ((co_await store.list(context, "", 10)).value().size(), 2u);
        const auto found = (co_await store.find(context, second.value())).value();
        EXPECT_TRUE(found && found->text.starts_with("two"));
        EXPECT_EQ((co_await store.clear(context)).value(), 2);
    });
}

} // namespace
} // namespace flotilla::hub
