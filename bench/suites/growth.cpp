// What one more job, event, order, user, idempotency key or mail costs when a program keeps 1,000 of them, and
// 1,000,000.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <vector>

#include "bench/harness/socket.hpp"
#include "bench/suites/kept_rows.hpp"
#include "bench/suites/shop.hpp"
#include "bench/suites/smtp_sink.hpp"

namespace flotilla::bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::int64_t kFew = 1'000;
constexpr std::int64_t kMany = 1'000'000;
constexpr double kTargetOfFew = 1.3;
constexpr double kMailsPerSecond = 2'000;
constexpr int kRoundsMax = 3;

std::string kept_id(const char* prefix) { return fmt::format("printf('{}-0000-7000-8000-%012x', :i)", prefix); }

void fill_outbox(KeptRows& rows, std::int64_t kept) {
    rows.multiply("flotilla_outbox", kept,
                  {{"position", ":i + 1"},
                   {"event_id", kept_id("01900001")},
                   {"sequence", ":i + 1"},
                   {"published_at", "sample.occurred_at"}});
    rows.run(fmt::format("UPDATE flotilla_outbox SET published_at = occurred_at WHERE position = 1;"
                         "UPDATE flotilla_outbox_partitions SET next_sequence = {}, published_sequence = {}",
                         kept + 2, kept + 1));
}

void fill_shop(const fs::path& folder, std::int64_t kept) {
    KeptRows users(database_of(folder, "user"));
    users.multiply("users", kept,
                   {{"id", kept_id("01900002")},
                    {"email", "'u' || :i || '@kept.example'"},
                    {"email_identity", "'u' || :i || '@kept.example'"}});
    // Clients draw their keys at random.
    users.multiply("flotilla_idempotency", kept, {{"key", "lower(hex(randomblob(16)))"}});
    fill_outbox(users, kept);
    users.close();
    KeptRows orders(database_of(folder, "order"));
    orders.multiply("orders", kept, {{"id", kept_id("01900003")}, {"user_id", "'user-' || (:i % 10000)"}});
    fill_outbox(orders, kept);
    orders.close();
}

void fill_mails(const fs::path& folder, std::int64_t kept) {
    KeptRows notifications(database_of(folder, "notification"));
    notifications.multiply(
        "notifications", kept,
        {{"id", kept_id("01900004")}, {"user_id", kept_id("01900002")}, {"order_id", kept_id("01900003")}});
    notifications.multiply("flotilla_jobs", kept, {{"id", kept_id("01900005")}, {"key", kept_id("01900004")}});
    notifications.close();
    KeptRows mails(folder / "hub" / "mail.db");
    const std::string number = ":i + 1";
    mails.multiply("mails", kept,
                   {{"number", number},
                    {"id", kept_id("01900006")},
                    {"message_id", kept_id("01900007")},
                    {"received_at", "sample.received_at - 2000000 + :i"}});
    mails.multiply("mail_recipients", kept, {{"block", "(" + number + ") / 4096"}, {"mail", number}});
    mails.close();
}

/// The data of a whole shop that keeps so many of everything.
class KeptShop {
public:
    KeptShop(const Setting& setting, const fs::path& seed, fs::path folder, std::string user, std::int64_t kept)
        : setting_(setting), folder_(std::move(folder)), user_(std::move(user)), kept_(kept) {
        fs::copy(seed, folder_, fs::copy_options::recursive);
        auto shop = std::async(std::launch::async, [this] {
            pin(0, kMeasuredCore);
            fill_shop(folder_, kept_);
        });
        fill_mails(folder_, kept_);
        shop.get();
    }

    std::string name() const { return fmt::format("{} kept", kept_ == kFew ? "1,000" : "1,000,000"); }

    Measurement create_users(const std::string& fields) {
        const Data data(*this);
        const auto hub = hub_that_knows(data, "user", "user.created");
        const auto users = start_service(setting_, "user", data.path / "user", hub, kMeasuredCore);
        const auto body = fmt::format(R"({{"email":"{}@example.com","name":"Ada"}})", kUnique);
        return measure(*users.process, post(users.port, "/users", body, fields));
    }

    Measurement place_orders() {
        const Data data(*this);
        const auto hub = hub_that_knows(data, "order", "order.created");
        // Beside what is measured they are as they were at the beginning.
        const auto users = start_service(setting_, "user", data.seed / "user", hub, kLoadCore);
        const auto products = start_service(setting_, "product", data.path / "product", hub, kLoadCore);
        const auto orders = start_service(setting_, "order", data.path / "order", hub, kMeasuredCore);
        const auto body = order_of(user_);
        until("an order", [&] { return http_status(orders.port, "POST", "/orders", body) == 201; });
        return measure(*orders.process, post(orders.port, "/orders", body, ""));
    }

    Measurement relay_events() {
        const Data data(*this);
        const auto amount = share_of_a_second(25'000);
        const auto hub = hub_that_knows(data, "user", "user.created");
        {
            KeptRows rows(database_of(data.path, "user"));
            const auto last = rows.number("SELECT max(position) FROM flotilla_outbox");
            rows.multiply("flotilla_outbox", amount,
                          {{"position", fmt::format("{} + :i", last)},
                           {"event_id", kept_id("01900008")},
                           {"sequence", "NULL"},
                           {"published_at", "NULL"}});
        }
        const auto users = start_service(setting_, "user", data.path / "user", hub, kMeasuredCore);
        return work_off(users, "flotilla_outbox_published_total", amount);
    }

    Measurement consume_events() {
        const Data data(*this);
        const auto amount = share_of_a_second(12'000);
        const auto hub = fresh_hub(data);
        publish(hub, amount);
        SmtpSink silent(true); // no mail leaves meanwhile
        const auto notification = start_notification(data, hub, silent);
        return work_off(notification, "flotilla_inbox_handled_total{", amount);
    }

    Measurement send_mails() {
        const Data data(*this);
        const auto amount = share_of_a_second(4'000);
        const auto hub = fresh_hub(data);
        enqueue_mails(data, amount);
        SmtpSink sink;
        const auto notification = start_notification(data, hub, sink);
        return work_off(notification, "flotilla_jobs_tries_total{", amount);
    }

    Measurement catch_mails() {
        const Data data(*this);
        const auto hub = start_hub(setting_, data.path / "hub", kMeasuredCore);
        const std::string envelope = "MAIL FROM:<shop@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\n";
        return measure(*hub.process,
                       {.port = hub.smtp,
                        .connections = 16,
                        .request = fmt::format("From: shop@example.com\r\nTo: ada@example.com\r\nSubject: "
                                               "Welcome aboard\r\nMessage-ID: <{}@example.com>\r\n\r\n"
                                               "Hello Ada,\r\nyour account is ready.\r\n.\r\n{}",
                                               kUnique, envelope),
                        .opening = "EHLO bench\r\n" + envelope,
                        .answer_length = smtp_answer_length,
                        .seconds = setting_.seconds});
    }

private:
    /// What a measurement works on: few rows would not stay few, so it gets a copy of them.
    struct Data {
        explicit Data(const KeptShop& shop) : path(shop.folder_), seed(shop.folder_.parent_path() / "aside") {
            fs::remove_all(seed);
            fs::copy(shop.folder_.parent_path() / "seed", seed, fs::copy_options::recursive);
            if (shop.kept_ != kFew) return;
            path += "-copy";
            fs::remove_all(path);
            fs::copy(shop.folder_, path, fs::copy_options::recursive);
        }
        fs::path path, seed;
    };

    std::int64_t share_of_a_second(std::int64_t amount) const {
        return std::max<std::int64_t>(
            100, static_cast<std::int64_t>(static_cast<double>(amount) * setting_.seconds.count()));
    }

    Load post(std::uint16_t port, const std::string& path, const std::string& body, const std::string& fields) const {
        return {.port = port,
                .request = fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n{}"
                                       "Content-Length: {}\r\n\r\n{}",
                                       path, port, fields, body.size(), body),
                .seconds = setting_.seconds};
    }

    Program start_notification(const Data& data, const Hub& hub, const SmtpSink& mails) const {
        return start_service(setting_, "notification", data.path / "notification", hub, kMeasuredCore,
                             {"--set", fmt::format("smtp=smtp://127.0.0.1:{}", mails.port())});
    }

    Hub fresh_hub(const Data& data) const {
        fs::remove_all(data.path / "bus");
        return start_hub(setting_, data.path / "bus", kLoadCore);
    }

    /// A hub whose bus holds what the service has published, or the service would publish all of it again.
    Hub hub_that_knows(const Data& data, const std::string& service, const std::string& topic) const {
        auto hub = fresh_hub(data);
        KeptRows rows(database_of(data.path, service));
        const auto last = rows.number("SELECT next_sequence - 1 FROM flotilla_outbox_partitions");
        add_events(hub, topic, service + "-service", last, 1);
        return hub;
    }

    void publish(const Hub& hub, std::int64_t amount) const {
        add_events(hub, "user.created", fmt::format("bench-{}", Clock::now().time_since_epoch().count()), 1, amount);
    }

    void enqueue_mails(const Data& data, std::int64_t amount) const {
        // Fresh names each time.
        const auto key = fmt::format("printf('0190{:04x}-%04x-7000-8000-000000000000', :i)",
                                     Clock::now().time_since_epoch().count() / 1'000'000 % 65'536);
        KeptRows rows(database_of(data.path, "notification"));
        rows.multiply(
            "notifications", amount,
            {{"id", key}, {"state", "'QUEUED'"}, {"sent_at", "NULL"}, {"order_id", "NULL"}, {"number", "NULL"}});
        rows.multiply("flotilla_jobs", amount,
                      {{"id", key},
                       {"key", key},
                       {"payload", "replace(sample.payload, sample.key, " + key + ")"},
                       {"state", "'queued'"},
                       {"attempts", "0"},
                       {"failures", "0"},
                       {"due_at", "0"},
                       {"finished_at", "NULL"}},
                      "state = 'done'");
    }

    /// A program that finds its work when it starts: what each piece costs, without the beginning.
    Measurement work_off(const Program& program, const std::string& counter, std::int64_t amount) const {
        const auto all = static_cast<double>(amount);
        const auto count = [&] { return counted(program.port, counter); };
        double first = 0;
        until(counter, [&] { return (first = count()) >= all / 10; });
        const auto cpu = program.process->cpu_time();
        const auto begin = Clock::now();
        double last = 0;
        until(counter, [&] { return (last = count()) >= all; });
        const auto spent = program.process->cpu_time() - cpu;
        const std::chrono::duration<double> elapsed = Clock::now() - begin;
        return {.cpu_us = std::chrono::duration<double, std::micro>(spent).count() / (last - first),
                .per_second = (last - first) / elapsed.count()};
    }

    const Setting& setting_;
    const fs::path folder_;
    const std::string user_;
    const std::int64_t kept_;
};

struct Case {
    const char* what;
    const char* unit;
    Measurement (*measure)(KeptShop& shop);
};

constexpr Case kCases[] = {
    {"a job: a mail is sent", "µs/mail", [](KeptShop& shop) { return shop.send_mails(); }},
    {"an event is published", "µs/event", [](KeptShop& shop) { return shop.relay_events(); }},
    {"a user is created", "µs/user", [](KeptShop& shop) { return shop.create_users(""); }},
    {"... with an Idempotency-Key", "µs/user",
     [](KeptShop& shop) { return shop.create_users("Idempotency-Key: " + std::string(kUnique) + "\r\n"); }},
    {"an order is placed", "µs/order", [](KeptShop& shop) { return shop.place_orders(); }},
    {"the hub catches a mail", "µs/mail", [](KeptShop& shop) { return shop.catch_mails(); }},
    // Last, since it leaves mails to be sent.
    {"an event is handled", "µs/event", [](KeptShop& shop) { return shop.consume_events(); }},
};

} // namespace

std::vector<Row> bench_growth(const Setting& setting) {
    const TemporaryFolder folder(setting.data);
    const auto user = sail_once(setting, folder.path() / "seed");
    std::fprintf(stderr, "  filling\n");
    KeptShop few(setting, folder.path() / "seed", folder.path() / "few", user, kFew);
    KeptShop many(setting, folder.path() / "seed", folder.path() / "many", user, kMany);
    std::vector<Row> rows;
    for (const auto& each : kCases) {
        std::fprintf(stderr, "  %s\n", each.what);
        const auto medians = contest({{.name = many.name(), .measure = [&] { return each.measure(many); }},
                                      {.name = few.name(), .measure = [&] { return each.measure(few); }}},
                                     std::min(setting.rounds, kRoundsMax));
        rows.push_back({.bench = "growth",
                        .what = std::string("CPU, ") + each.what,
                        .ours = medians[0].cpu_us,
                        .unit = each.unit,
                        .peer = few.name(),
                        .peer_value = medians[1].cpu_us,
                        .target = kTargetOfFew});
        if (&each != &kCases[0]) continue;
        rows.push_back({.bench = "growth",
                        .what = "mails sent, 1,000,000 jobs kept",
                        .ours = medians[0].per_second,
                        .unit = "mails/s",
                        .peer = "what is asked for",
                        .peer_value = kMailsPerSecond,
                        .target = 1,
                        .wanted = Wanted::at_least});
    }
    return rows;
}

} // namespace flotilla::bench
