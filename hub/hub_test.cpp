#include "hub/hub.hpp"

#include <chrono>
#include <future>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hub/testing/hub_process.hpp"

namespace flotilla::hub::hub_test {
namespace {

/// Sends one mail in one packet and returns the last reply code before QUIT's.
std::string send_mail(const HubProcess& hub, const std::string& to, const std::string& content) {
    SocketClient smtp = hub.smtp();
    smtp.send("EHLO test\r\nMAIL FROM:<shop@example.org>\r\nRCPT TO:<" + to + ">\r\nDATA\r\n" + content +
              "\r\n.\r\nQUIT\r\n");
    const std::string replies = smtp.receive_all();
    const std::size_t end = replies.rfind("\r\n221");
    return replies.substr(replies.rfind("\r\n", end - 1) + 2, 3);
}

boost::json::array messages(const HubProcess& hub, const std::string& query = "") {
    return boost::json::parse(hub.http("GET /mail/messages" + query)).as_array();
}

// Goal: what XADD, XACK and XREADGROUP acknowledged survives kill -9 under load, and nothing else appears.
TEST(HubDurability, AcknowledgedEntriesSurviveKill) {
    HubProcess hub;
    std::vector<std::string> acknowledged;
    std::vector<std::string> consumed;
    {
        RedisClient setup = hub.redis();
        setup({"XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"});
    }
    std::thread writer([&] {
        try {
            RedisClient client = hub.redis();
            for (int i = 0;; ++i)
                acknowledged.push_back(client({"XADD", "s", "*", "n", std::to_string(i)}).text);
        } catch (const std::runtime_error&) {
            return; // killed
        }
    });
    std::thread reader([&] {
        try {
            RedisClient client = hub.redis();
            for (;;) {
                const auto reply =
                    client({"XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "BLOCK", "1000", "STREAMS", "s", ">"});
                if (reply.is_null()) continue;
                const std::string id = reply.items.at(0).items.at(1).items.at(0).items.at(0).text;
                if (client({"XACK", "s", "g", id}).integer == 1) consumed.push_back(id);
            }
        } catch (const std::runtime_error&) {
            return; // killed
        }
    });
    RedisClient observer = hub.redis();
    while (observer({"XLEN", "s"}).integer < 300) {
    } // commands in flight all the while
    hub.kill();
    writer.join();
    reader.join();
    hub.start();
    RedisClient client = hub.redis();
    const auto entries = client({"XRANGE", "s", "-", "+"});
    ASSERT_GE(entries.items.size(), acknowledged.size());
    EXPECT_LE(entries.items.size(), acknowledged.size() + 1) << "at most the one whose answer was cut off";
    for (std::size_t i = 0; i < acknowledged.size(); ++i) {
        EXPECT_EQ(entries.items[i].items[0].text, acknowledged[i]);
        EXPECT_EQ(entries.items[i].items[1].items[1].text, std::to_string(i));
    }
    for (const std::string& id : consumed) {
        EXPECT_EQ(show(client({"XPENDING", "s", "g", id, id, "1"})), "[]") << "acknowledged entries stay acknowledged";
    }
    const auto rest = client({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"});
    if (!rest.is_null() && !consumed.empty()) {
        EXPECT_NE(rest.items[0].items[1].items[0].items[0].text, consumed.back()) << "the group goes on where it was";
    }
}

/// Adds "<writer>-0", "<writer>-1", ... to "s", a few at a time, until the hub is killed; the values it acknowledged.
std::vector<std::string> add_until_killed(const HubProcess& hub, int writer) {
    std::vector<std::string> acknowledged;
    try {
        RedisClient client = hub.redis();
        for (int i = 0;; i += 5) {
            std::string bytes;
            const auto value = [&](int k) { return std::to_string(writer) + "-" + std::to_string(i + k); };
            for (int k = 0; k < 5; ++k)
                resp::write_command(bytes, Words{"XADD", "s", "MAXLEN", "~", "1000000", "*", "n", value(k)});
            client.socket().send(bytes);
            for (int k = 0; k < 5; ++k) {
                if (client.receive().is_text()) acknowledged.push_back(value(k));
            }
        }
    } catch (const std::runtime_error&) {
        return acknowledged; // killed
    }
}

// Goal: when many clients share commits and rows, kill -9 still loses nothing that any of them was answered, keeps each
// one's order, and leaves no part of a command.
TEST(HubDurability, SharedCommitsSurviveKill) {
    constexpr int kWriters = 8;
    HubProcess hub;
    for (int round = 1; round <= 3; ++round) {
        std::vector<std::future<std::vector<std::string>>> writers;
        hub.redis()({"DEL", "s"});
        for (int writer = 0; writer < kWriters; ++writer)
            writers.push_back(std::async(std::launch::async, [&hub, writer] { return add_until_killed(hub, writer); }));
        {
            RedisClient observer = hub.redis();
            while (observer({"XLEN", "s"}).integer < 4000) {
            } // commands in flight all the while
        }
        hub.kill();
        std::vector<std::vector<std::string>> acknowledged;
        for (auto& writer : writers)
            acknowledged.push_back(writer.get());
        hub.start();
        std::vector<std::vector<std::string>> kept(kWriters);
        for (const auto& entry : hub.redis()({"XRANGE", "s", "-", "+"}).items) {
            const std::string& value = entry.items[1].items[1].text;
            kept.at(static_cast<std::size_t>(value[0] - '0')).push_back(value);
        }
        for (std::size_t writer = 0; writer < kWriters; ++writer) {
            const auto& said = acknowledged[writer];
            ASSERT_GE(kept[writer].size(), said.size()) << "round " << round;
            EXPECT_LE(kept[writer].size(), said.size() + 5) << "at most those whose answers were cut off";
            for (std::size_t i = 0; i < kept[writer].size(); ++i)
                ASSERT_EQ(kept[writer][i], std::to_string(writer) + "-" + std::to_string(i));
        }
    }
}

// Goal: several kills in a row lose nothing and corrupt nothing.
TEST(HubDurability, RepeatedKillsLoseNothing) {
    HubProcess hub;
    std::int64_t acknowledged = 0;
    for (int round = 0; round < 3; ++round) {
        RedisClient client = hub.redis();
        for (int i = 0; i < 50; ++i)
            acknowledged += client({"XADD", "s", "*", "n", "x"}).is_text() ? 1 : 0;
        hub.kill();
        hub.start();
        RedisClient again = hub.redis();
        EXPECT_EQ(again({"XLEN", "s"}).integer, acknowledged);
    }
}

/// The error code of an XADD on a full disk. Once a second the bus tries whether it may write again; who asks just then
/// is disconnected, and asks anew.
std::string refused_write(const HubProcess& hub) {
    for (;;) {
        try {
            RedisClient client = hub.redis();
            const std::string text = client({"XADD", "s", "*", "n", std::string(5000, 'x')}).text;
            return text.substr(0, text.find(' '));
        } catch (const std::runtime_error&) {
            continue;
        }
    }
}

// Goal: when the disk is full the bus says so and keeps serving reads; nothing acknowledged is lost, nothing else
// stays.
TEST(HubDurability, FullDiskIsToldAndLosesNothing) {
    HubProcess hub(1024); // KiB
    std::int64_t acknowledged = 0;
    try {
        RedisClient client = hub.redis();
        for (int i = 0; i < 100'000; ++i)
            acknowledged += client({"XADD", "s", "*", "n", std::string(5000, 'x')}).is_text() ? 1 : 0;
        ADD_FAILURE() << "the limit was never met";
    } catch (const std::runtime_error&) {
        EXPECT_GT(acknowledged, 10) << "then the client was disconnected, since its command did not happen";
    }
    EXPECT_EQ(refused_write(hub), "MISCONF");
    EXPECT_EQ(hub.redis()({"XLEN", "s"}).integer, acknowledged);
    EXPECT_NE(hub.http("GET /readyz").find("the last commit failed"), std::string::npos);
    hub.kill();
    hub.start();
    RedisClient again = hub.redis();
    EXPECT_EQ(again({"XLEN", "s"}).integer, acknowledged);
    EXPECT_TRUE(again({"XADD", "s", "*", "n", "x"}).is_text());
}

// Goal: a mail answered with 250 is in the catcher after kill -9, once per Message-ID, and repeats are counted.
TEST(HubDurability, CaughtMailSurvivesKillOncePerMessageId) {
    HubProcess hub;
    const std::string mail =
        "From: Shop <shop@example.org>\r\nTo: ada@example.org\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n"
        "Date: Sat, 31 Jan 2026 08:00:00 +0000\r\nMessage-ID: <event-1@shop>\r\n\r\nHello Ada";
    EXPECT_EQ(send_mail(hub, "ada@example.org", mail), "250");
    hub.kill();
    hub.start();
    EXPECT_EQ(send_mail(hub, "ada@example.org", mail), "250");
    EXPECT_EQ(send_mail(hub, "bob@example.org", "Message-ID: <event-2@shop>\r\n\r\nHello Bob"), "250");
    EXPECT_EQ(send_mail(hub, "bob@example.org", "\r\nno id"), "250");
    EXPECT_EQ(send_mail(hub, "bob@example.org", "\r\nno id"), "250");
    const auto all = messages(hub);
    ASSERT_EQ(all.size(), 4u) << "mails without a Message-ID are all kept";
    const auto& first = all[0].as_object();
    EXPECT_EQ(first.at("messageId"), "event-1@shop");
    EXPECT_EQ(first.at("received"), 2);
    EXPECT_EQ(first.at("subject"), "Grüße");
    EXPECT_EQ(first.at("from"), "Shop <shop@example.org>");
    EXPECT_EQ(first.at("to"), (boost::json::array{"ada@example.org"}));
    EXPECT_EQ(messages(hub, "?to=ADA@example.org").size(), 1u);
    const auto newest = messages(hub, "?limit=2");
    ASSERT_EQ(newest.size(), 2u);
    EXPECT_EQ(newest[1], all[3]) << "newest last";
    const std::string id(first.at("id").as_string());
    const auto detail = boost::json::parse(hub.http("GET /mail/messages/" + id)).as_object();
    EXPECT_EQ(detail.at("text"), "Hello Ada\n");
    EXPECT_EQ(detail.at("headers").as_array().at(2), (boost::json::object{{"name", "Subject"}, {"value", "Grüße"}}));
    std::string status;
    hub.http("GET /mail/messages/none", &status);
    EXPECT_TRUE(status.starts_with("HTTP/1.1 404 Not Found\r\n")) << status;
    EXPECT_EQ(hub.http("DELETE /mail/messages"), R"({"deleted":4})");
    EXPECT_EQ(messages(hub).size(), 0u);
    EXPECT_EQ(send_mail(hub, "ada@example.org", mail), "250");
    EXPECT_EQ(messages(hub).size(), 1u) << "an emptied catcher remembers no ids";
}

// Goal: bytes that are no UTF-8 and a mail full of dots come through SMTP, file and JSON.
TEST(HubMail, OddContentComesThrough) {
    const HubProcess hub;
    EXPECT_EQ(send_mail(hub, "a@b", "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xE9t\xE9\r\n..\r\n...x"),
              "250");
    EXPECT_EQ(send_mail(hub, "a@b", std::string("Subject: \xFF\xFE\r\n\r\n\0", 17)), "250");
    const auto all = messages(hub);
    ASSERT_EQ(all.size(), 2u);
    const auto first = boost::json::parse(hub.http("GET /mail/messages/" + std::string(all[0].at("id").as_string())));
    EXPECT_EQ(first.at("text"), "été\n.\n..x\n");
}

// Goal: what strangers wrote is served as it came, and never as a page of the hub's.
TEST(HubMail, RawIsWhatCame) {
    const HubProcess hub;
    const std::string content = "Subject: caf\xE9\r\nContent-Type: text/html; charset=windows-1252\r\n\r\n"
                                "<script>alert('\x80')</script>";
    EXPECT_EQ(send_mail(hub, "a@b", content), "250");
    const std::string path = "/mail/messages/" + std::string(messages(hub).at(0).at("id").as_string());
    std::string head;
    EXPECT_EQ(hub.http("GET " + path + "/raw", &head), content + "\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
    for (const char* field : {"Content-Type: message/rfc822\r\n", "X-Content-Type-Options: nosniff\r\n",
                              "Content-Security-Policy: sandbox\r\n", "Content-Disposition: attachment; filename="})
        EXPECT_NE(head.find(field), std::string::npos) << field << " in " << head;
    const auto detail = boost::json::parse(hub.http("GET " + path, &head));
    EXPECT_EQ(detail.at("text"), "<script>alert('€')</script>\n");
    EXPECT_EQ(detail.at("subject"), "café");
    EXPECT_NE(head.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos) << head;
    EXPECT_EQ(head.find("Access-Control"), std::string::npos) << head;
    hub.http("GET /mail/messages/none/raw", &head);
    EXPECT_TRUE(head.starts_with("HTTP/1.1 404 Not Found\r\n")) << head;
}

// Goal: a page in a browser changes nothing by HTTP, on any path, under any name; each refusal stands in the log once.
TEST(HubHttp, PagesOfOtherSitesChangeNothing) {
    HubProcess hub;
    EXPECT_EQ(send_mail(hub, "a@b", "\r\nkept"), "250");
    const auto ask = [&](const std::string& line, const std::string& fields) {
        SocketClient client = SocketClient::tcp(hub.port("http"));
        client.send(line + " HTTP/1.1\r\n" + fields + "Connection: close\r\nContent-Length: 1\r\n\r\nx");
        const std::string answer = client.receive_all();
        EXPECT_EQ(answer.find("Access-Control"), std::string::npos) << answer;
        return answer.substr(9, 3);
    };
    const std::string page = "Host: 127.0.0.1\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n";
    EXPECT_EQ(ask("PUT /v1/kv/k", page), "403");
    EXPECT_EQ(ask("DELETE /mail/messages", page), "403");
    EXPECT_EQ(ask("GET /v1/agent/service/deregister/web", page), "403");
    EXPECT_EQ(ask("GET /mail/messages", "Host: evil.example\r\n"), "403");
    EXPECT_EQ(ask("GET /metrics", "Host: evil.example\r\n"), "403");
    EXPECT_NE(hub.process().wait_for_line("SECURITY ATTACK").find("https://evil.example"), std::string::npos);
    EXPECT_EQ(messages(hub).size(), 1u);
    EXPECT_EQ(ask("PUT /v1/kv/k", "Host: localhost\r\n"), "200") << "curl";
    EXPECT_EQ(ask("PUT /v1/kv/k", "Host: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1\r\n"), "200")
        << "the hub's own pages";
}

// Goal: a hub that others can reach says that nothing authenticates, answers to the names it was given, and offers no
// AUTH; one on loopback says nothing.
TEST(HubHttp, ListeningBeyondLoopbackIsTold) {
    const TemporaryFolder folder;
    ChildProcess hub({program("flotilla-hub"), "--data", folder.path().string(), "--host", "0.0.0.0", "--http-port",
                      "0", "--redis-port", "0", "--smtp-port", "0", "--allowed-host", "a.example,b.example"});
    EXPECT_NE(hub.wait_for_line("nothing authenticates").find(R"("level":"warning")"), std::string::npos);
    hub.wait_for_line("registry loaded");
    std::ifstream file(folder / "ports.json");
    const auto ports = boost::json::parse(std::string{std::istreambuf_iterator<char>(file), {}});
    for (const auto& [host, status] : {std::pair{"a.example", "200"}, {"b.example:1", "200"}, {"c.example", "403"}}) {
        SocketClient http = SocketClient::tcp(ports.at("http").to_number<std::uint16_t>());
        http.send("GET /livez HTTP/1.1\r\nHost: " + std::string(host) + "\r\nConnection: close\r\n\r\n");
        EXPECT_EQ(http.receive_all().substr(9, 3), status) << host;
    }
    SocketClient smtp = SocketClient::tcp(ports.at("smtp").to_number<std::uint16_t>());
    smtp.send("EHLO t\r\nAUTH PLAIN AGFkYQBzZWNyZXQ=\r\nQUIT\r\n");
    const std::string replies = smtp.receive_all();
    EXPECT_EQ(replies.find("250-AUTH"), std::string::npos) << replies;
    EXPECT_NE(replies.find("502 5.5.1 AUTH is taken on loopback only"), std::string::npos) << replies;
    hub.signal(SIGTERM);
    EXPECT_EQ(hub.read_all().find("nothing authenticates"), std::string::npos) << "once";
    EXPECT_EQ(hub.wait(), 0);
}

// Goal: health, readiness, metrics and the description answer; unknown paths are problem+json.
TEST(HubHttp, OperationalPathsAnswer) {
    HubProcess hub;
    RedisClient client = hub.redis();
    client({"XADD", "s", "*", "n", "1"});
    std::string status;
    EXPECT_EQ(boost::json::parse(hub.http("GET /livez", &status)).at("status"), "ok");
    EXPECT_TRUE(status.starts_with("HTTP/1.1 200 OK\r\n")) << status;
    EXPECT_EQ(hub.http("GET /readyz"),
              R"({"status":"ok","service":"flotilla-hub","instance":"flotilla-hub-)" +
                  std::to_string(hub.port("http")) +
                  R"(","version":"0.1.0","checks":{"bus":{"status":"ok"},"mail":{"status":"ok"},)"
                  R"("registry":{"status":"ok"}}})");
    EXPECT_EQ(hub.http("GET /healthz"), hub.http("GET /readyz"));
    EXPECT_NE(hub.http("DELETE /metrics", &status).find("Method not allowed"), std::string::npos);
    EXPECT_NE(status.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << status;
    EXPECT_NE(hub.http("GET /metrics").find("hub_bus_commits_total 1\n"), std::string::npos);
    EXPECT_EQ(hub.http("GET /%6civez"), hub.http("GET /livez")) << "the same path, escaped";
    const auto description = boost::json::parse(hub.http("GET /"));
    EXPECT_EQ(description.at("service"), "flotilla-hub");
    EXPECT_EQ(description.at("protocols").as_array().at(1).at("address").as_string(),
              "127.0.0.1:" + std::to_string(hub.port("redis")));
    EXPECT_NE(hub.http("GET /nowhere", &status).find("no such path"), std::string::npos);
    EXPECT_TRUE(status.starts_with("HTTP/1.1 404 Not Found\r\n")) << status;
    hub.http("POST /mail/messages", &status);
    EXPECT_TRUE(status.starts_with("HTTP/1.1 405 Method Not Allowed\r\n")) << status;
    EXPECT_NE(hub.http("GET /mail/messages?limit=0", &status).find(R"("path":"limit")"), std::string::npos);
    EXPECT_TRUE(status.starts_with("HTTP/1.1 400 Bad Request\r\n")) << status;
    EXPECT_EQ(hub.http("GET /v1/status/leader"), "\"127.0.0.1:8300\"");
}

// Goal: the durations of requests are counted by route; what a blocking query waits for news is not among them.
TEST(HubHttp, DurationsLeaveOutWaitingForNews) {
    HubProcess hub;
    hub.http("GET /mail/messages/none");
    hub.http("GET /nowhere");
    const auto begun = std::chrono::steady_clock::now();
    hub.http("GET /v1/health/service/none?index=1&wait=300ms");
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begun;
    const auto metrics = hub.http("GET /metrics");
    const auto value_of = [&](std::string_view suffix, std::string_view route, int status) {
        const auto series =
            fmt::format("http_server_request_duration_seconds_{}{{http_request_method=\"GET\",http_route="
                        "\"{}\",http_response_status_code=\"{}\"}} ",
                        suffix, route, status);
        const auto at = metrics.find(series);
        return at == std::string::npos ? -1.0 : std::stod(metrics.substr(at + series.size()));
    };
    EXPECT_EQ(value_of("count", "/mail/messages/{id}", 404), 1) << metrics;
    EXPECT_EQ(value_of("count", "", 404), 1);
    EXPECT_EQ(value_of("count", "/v1/health/service/{rest...}", 200), 1);
    EXPECT_GE(taken.count(), 0.3);
    EXPECT_LE(value_of("sum", "/v1/health/service/{rest...}", 200), taken.count() - 0.3);
    EXPECT_EQ(value_of("count", "/metrics", 200), -1) << "pages of the framework do not count";
}

// Goal: SIGTERM and SIGINT end it cleanly with 0 while clients are connected; everything is there at the next start.
TEST(HubLifecycle, SignalsEndItCleanly) {
    HubProcess hub;
    for (const int signal : {SIGTERM, SIGINT}) {
        RedisClient client = hub.redis();
        client({"XADD", "s", "*", "n", "1"});
        RedisClient waiting = hub.redis();
        waiting.send({"XREAD", "BLOCK", "0", "STREAMS", "s", "$"});
        SocketClient mail = hub.smtp();
        mail.line();
        SocketClient idle = SocketClient::tcp(hub.port("http"));
        EXPECT_EQ(hub.stop(signal), 0);
        hub.start();
    }
    RedisClient client = hub.redis();
    EXPECT_EQ(client({"XLEN", "s"}).integer, 2);
}

// Goal: what is set for the services of a fleet does not open the hub or move its folder; its own variables do.
TEST(HubLifecycle, VariablesOfAFleetAreNotTheHubs) {
    const TemporaryFolder folder;
    const std::string hub =
        " FLOTILLA_HOST=0.0.0.0 FLOTILLA_DATA=/nowhere FLOTILLA_LOG_LEVEL=error FLOTILLA_HUB_DATA=" +
        folder.path().string() + " FLOTILLA_HUB_HTTP_PORT=0 FLOTILLA_HUB_REDIS_PORT=0 " + program("flotilla-hub") +
        " --smtp-port 0";
    ChildProcess process({"/bin/bash", "-c", "exec env" + hub});
    EXPECT_NE(process.wait_for_line("listening").find("127.0.0.1"), std::string::npos);
    process.wait_for_line("registry loaded");
    EXPECT_TRUE(std::filesystem::exists(folder / "ports.json"));
    process.signal(SIGTERM);
    EXPECT_EQ(process.wait(), 0);
}

// Goal: a wrong flag ends with 2 and is told with the one that was probably meant.
TEST(HubLifecycle, WrongFlagEndsWithTwo) {
    ChildProcess hub({"/bin/bash", "-c", "exec " + program("flotilla-hub") + " --redis-prot 0 2>&1"});
    EXPECT_EQ(hub.read_all(),
              "flotilla-hub: unknown argument '--redis-prot'; did you mean '--redis-port'? (see --help)\n");
    EXPECT_EQ(hub.wait(), 2);
}

// Goal: two hubs never share a folder, and a port in use is told with exit code 1.
TEST(HubLifecycle, FolderAndPortsAreNotShared) {
    const TemporaryFolder folder;
    ChildProcess first({program("flotilla-hub"), "--data", folder.path().string(), "--http-port", "0", "--redis-port",
                        "0", "--smtp-port", "0"});
    first.wait_for_line("registry loaded");
    ChildProcess second({program("flotilla-hub"), "--data", folder.path().string(), "--http-port", "0", "--redis-port",
                         "0", "--smtp-port", "0"});
    EXPECT_NE(second.wait_for_line("cannot start").find("another hub uses"), std::string::npos);
    EXPECT_EQ(second.wait(), 1);
    const HubProcess other;
    const TemporaryFolder third_folder;
    ChildProcess third({program("flotilla-hub"), "--data", third_folder.path().string(), "--http-port", "0",
                        "--redis-port", std::to_string(other.port("redis")), "--smtp-port", "0"});
    EXPECT_NE(third.wait_for_line("cannot start").find("the bus"), std::string::npos);
    EXPECT_EQ(third.wait(), 1);
}

} // namespace
} // namespace flotilla::hub::hub_test
