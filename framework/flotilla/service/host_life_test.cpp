// What a host is to those who operate it: health, traces, background work, several loops.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <mutex>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include <flotilla/node/fault_file.hpp>
#include <flotilla/service/test_host.hpp>

namespace flotilla::host_life_test {
namespace {

using namespace test;
using namespace std::chrono_literals;

struct Note {
    std::string text;
};
struct NoteId {
    std::string id;
};

constexpr Service notes_service{"notes-service"};
constexpr Service service{"test-service"};
constexpr Endpoint<Note, Note> add{service, Method::post, "/notes"};
constexpr Endpoint<NoteId, Note> get{notes_service, Method::get, "/notes/{id}"};
constexpr Topic<Note> added{"note.added"};

constexpr Migration kMigrations[] = {{1, "0001_notes", "CREATE TABLE notes (text TEXT PRIMARY KEY);"}};

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
const Header kTraceparent{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};

constexpr Table<Note> notes{"notes"};

/// Asks another service, notes the answer and announces it.
class Notes {
public:
    Notes(Database& database, Calls& calls, Publisher<Note>& added, const Logger& log)
        : database_(database), calls_(calls), added_(added), log_(log) {}

    task<Result<Note>> add(Context& context, Note request) {
        log_.info(context, "adding", {{"text", request.text}});
        co_await must(calls_.call(context, get, {.id = request.text}));
        co_return co_await database_.transact(context, [=, this](Transaction& tx) {
            tx.insert(notes, request);
            added_.publish(tx, request);
            return request;
        });
    }

private:
    Database& database_;
    Calls& calls_;
    Publisher<Note>& added_;
    const Logger& log_;
};

/// Hears its own topic, on the writer's thread.
class Listener {
public:
    Result<void> hear(Transaction&, const Received<Note>& note) {
        const std::lock_guard lock(mutex_);
        heard_ = note->text + " " + std::string(note.trace.trace_id_hex());
        return {};
    }
    std::string heard() {
        const std::lock_guard lock(mutex_);
        return heard_;
    }

private:
    std::mutex mutex_;
    std::string heard_;
};

// Goal: one trace id goes from the request to the log line, the called service, the event and its listener.
TEST(HostTrace, GoesFromRequestToCallEventAndLog) {
    Bench bench;
    std::string seen;
    TestHost other(bench, [&](Host& host) {
        host.serve(get, [&seen](Context& context, NoteId) {
            seen = context.trace.trace_id_hex();
            return [](std::string text) -> task<Result<Note>> { co_return Note{std::move(text)}; }("fine");
        });
    });
    Listener* listener = nullptr;
    TestHost host(bench,
                  [&](Host& made) {
                      auto& notes = made.own<Notes>(made.database(kMigrations), made.calls({notes_service}),
                                                    made.publishes(added), made.log());
                      made.serve(add, &Notes::add, notes);
                      listener = &made.own<Listener>();
                      made.on(added, &Listener::hear, *listener);
                  },
                  {}, {{"notes-service", {{.id = "other", .address = other.address()}}}});

    ASSERT_EQ(host.post("/notes", R"({"text":"one"})", {kTraceparent}).status(), 200);
    EXPECT_EQ(seen, kTrace);
    EXPECT_EQ(bench.lines_with("\"adding\"").at(0).at("trace_id"), kTrace);

    auto bus = value(open_bus(bench.world(), host.options().bus));
    auto subscription = value(bench.wait(bus->subscribe(bench.root(), "note.added", 0, "test", "test")));
    const auto events = value(bench.wait(subscription->receive(bench.root(), 1)));
    EXPECT_EQ(events.at(0).message.traceparent.substr(3, 32), kTrace);
    EXPECT_TRUE(bench.eventually([&] { return listener->heard() == std::string("one ") + kTrace; }));
}

// Goal: a topic whose name is only known at run time is published, heard and documented like any other.
TEST(HostTopics, TopicMadeAtRunTimeIsPublishedAndHeard) {
    Bench bench;
    Listener* listener = nullptr;
    Publisher<Note>* copied = nullptr;
    Database* database = nullptr;
    TestHost host(bench, [&](Host& made) {
        const std::string name = "note.copied-" + std::to_string(7);
        const auto topic = value(Topic<Note>::named(name));
        database = &made.database(kMigrations);
        copied = &made.publishes(topic);
        listener = &made.own<Listener>();
        made.on(topic, &Listener::hear, *listener);
    });
    value(
        bench.wait(database->transact(bench.root(), [&](Transaction& tx) { copied->publish(tx, {.text = "again"}); })));
    EXPECT_TRUE(bench.eventually([&] { return listener->heard().starts_with("again "); }));
    EXPECT_TRUE(host.get("/asyncapi.json").body.contains("note.copied-7"));
}

/// Files what it hears by a durable job, whose effect and outcome are one commit.
class Archive {
public:
    static constexpr Job<Note> kFile{"file_note"};

    explicit Archive(Database& database) : database_(database) {}

    void hear(Transaction& tx, const Received<Note>& note) { enqueue(tx, kFile, note.event); }
    task<Result<void>> file(Context& context, Note note, JobTry attempt) {
        co_return co_await database_.transact(context, [=](Transaction& tx) {
            tx.insert(notes, note);
            attempt.done(tx);
        });
    }

private:
    Database& database_;
};

// Goal: each handler of a topic gets every event, by a mark of its own; a job notes its outcome with its effect.
TEST(HostTopics, HandlersOfOneTopicAllHear) {
    Bench bench;
    Listener* listener = nullptr;
    Publisher<Note>* published = nullptr;
    Database* database = nullptr;
    TestHost host(bench, [&](Host& made) {
        database = &made.database(kMigrations);
        published = &made.publishes(added);
        listener = &made.own<Listener>();
        auto& archive = made.own<Archive>(*database);
        made.on(added, &Listener::hear, *listener);
        made.on(added, &Archive::hear, archive, "archive");
        made.perform(Archive::kFile, &Archive::file, archive);
    });
    value(bench.wait(
        database->transact(bench.root(), [&](Transaction& tx) { published->publish(tx, {.text = "both"}); })));
    const auto states = [&] {
        return value(bench.wait(database->select<std::string>(
            bench.root(), "SELECT state FROM flotilla_jobs WHERE payload IN (SELECT '{\"text\":\"' || text || '\"}' "
                          "FROM notes)")));
    };
    EXPECT_TRUE(bench.eventually([&] { return listener->heard().starts_with("both ") && !states().empty(); }));
    EXPECT_EQ(states(), (std::vector<std::string>{"done"}));
    EXPECT_EQ(value(bench.wait(database->select<std::string>(bench.root(),
                                                             "SELECT consumer FROM flotilla_inbox ORDER BY consumer"))),
              (std::vector<std::string>{"test-service", "test-service.archive"}));
}

// Goal: a missing convenience degrades, a missing necessity makes unavailable; each says why, and livez stays.
TEST(HostHealth, ChecksDecideReadiness) {
    Bench bench;
    Result<void> extra, needed;
    TestHost host(bench, [&](Host& made) {
        made.database(kMigrations);
        made.add_check("extra", [&] { return extra; });
        made.add_check("needed", [&] { return needed; }, true);
    });
    const auto ok = host.get("/readyz");
    EXPECT_EQ(ok.status(), 200) << ok.body;
    EXPECT_EQ(json_of(ok).at("status"), "ok");
    for (const char* check : {"database", "registry", "bus", "outbox", "role", "extra", "needed"})
        EXPECT_EQ(json_of(ok).at("checks").at(check).at("status"), "ok") << check;
    EXPECT_EQ(host.get("/healthz").status(), 200);

    extra = Error(Kind::unavailable, "the parrot is away");
    const auto degraded = host.get("/readyz");
    EXPECT_EQ(degraded.status(), 200);
    EXPECT_EQ(json_of(degraded).at("status"), "degraded");
    EXPECT_EQ(json_of(degraded).at("checks").at("extra").at("detail"), "the parrot is away");
    EXPECT_EQ(host.get("/healthz").status(), 503);

    needed = Error(Kind::unavailable, "no water");
    const auto unavailable = host.get("/readyz");
    EXPECT_EQ(unavailable.status(), 503);
    EXPECT_EQ(json_of(unavailable).at("status"), "unavailable");
    EXPECT_EQ(host.get("/livez").status(), 200);
    EXPECT_EQ(host.get("/readyz").head.headers.get("cache-control"), "no-store");
}

// Goal: the framework's own pages are read, nothing else.
TEST(HostHealth, OwnPagesAreOnlyRead) {
    Bench bench;
    TestHost host(bench, [](Host&) {});
    for (const char* page : {"/livez", "/readyz", "/healthz", "/metrics"}) {
        const auto refused = host.post(page, "{}");
        EXPECT_EQ(refused.status(), 405) << page;
        EXPECT_EQ(refused.head.headers.get("allow"), "GET, HEAD");
        const auto head = host.send("HEAD", page);
        EXPECT_EQ(head.status(), 200) << page;
        EXPECT_EQ(head.body, "");
    }
}

/// A registry whose background work ends with a bug once it is told to.
class BuggyRegistry final : public Registry {
public:
    explicit BuggyRegistry(Event& trigger) : trigger_(trigger) {}
    void announce(Instance) override {}
    task<Result<void>> withdraw(Context&) override { co_return Result<void>(); }
    Instances instances(std::string_view) override { return none_; }
    task<Result<Instances>> resolve(Context&, std::string) override { co_return none_; }
    task<void> run(Context& context) override {
        if (co_await trigger_.wait(context)) throw std::runtime_error("off by one");
    }
    Result<void> health() const override { return {}; }

private:
    Event& trigger_;
    Instances none_ = std::make_shared<const std::vector<Instance>>();
};

// Goal: background work that ends with a bug ends the host, which says what it was, instead of half a service.
TEST(HostBackground, BugEndsTheHost) {
    Bench bench;
    Event trigger;
    TestHost host(bench, [](Host&) {}, {}, {}, std::make_unique<BuggyRegistry>(trigger));
    EXPECT_EQ(host.get("/livez").status(), 200);
    trigger.notify();
    ASSERT_TRUE(bench.eventually([&] { return host.ended(); }));
    const auto outcome = host.stop();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message(), "registry ended with a bug: off by one");
    EXPECT_EQ(bench.lines_with("off by one").size(), 1U);
}

struct Which {
    std::string loop;
};
constexpr Endpoint<Empty, Which> which{service, Method::get, "/which"};

task<Result<Which>> answer_which(std::size_t loop) { co_return Which{std::to_string(loop)}; }

task<Result<std::unique_ptr<Runnable>>> prepare_which(Context& context, World& world, Process& process,
                                                      HostOptions options, Lane lane, std::promise<Address>& ready) {
    const auto install = [lane](Host& host) {
        host.database(kMigrations);
        host.serve(which, [lane](Context&, Empty) { return answer_which(lane.number); });
    };
    auto node = co_await must(ServiceNode::prepare(context, world, process, options, install, lane));
    if (lane.number + 1 == options.node.loops) ready.set_value(node->address());
    co_return node;
}

// Goal: two loops serve one port and say the same of their health; SIGTERM ends both, cleanly.
TEST(RunLoops, TwoLoopsServeOnePort) {
    TemporaryFolder folder;
    Process process(Logger("which-service", LogLevel::error, Logger::Format::json));
    HostOptions options{.node = {.service = "which-service", .data = folder.path(), .registry = "none", .loops = 2},
                        .bus = "memory:loops"};
    std::promise<Address> ready;
    auto ended = std::async(std::launch::async, [&] {
        return run_lanes(process, options.node, [&](Context& context, World& world, NodeOptions node, Lane lane) {
            HostOptions its = options;
            its.node = std::move(node);
            return prepare_which(context, world, process, std::move(its), lane, ready);
        });
    });
    auto listening = ready.get_future();
    ASSERT_EQ(listening.wait_for(10s), std::future_status::ready);
    const auto address = listening.get();
    Bench bench;
    std::set<std::string> met;
    // The kernel spreads connections by their ports: each try makes a new one.
    EXPECT_TRUE(bench.eventually([&] {
        const auto answer = value(bench.try_fetch(address, request_of("GET", "/which")));
        met.insert(std::string(json_of(answer).at("loop").as_string()));
        bench.client().close_idle();
        return met.size() == 2;
    }));
    for (int i = 0; i < 20; ++i) {
        const auto report = value(bench.try_fetch(address, request_of("GET", "/readyz")));
        EXPECT_EQ(report.status(), 200) << report.body;
        EXPECT_TRUE(json_of(report).at("checks").as_object().contains("outbox")) << report.body;
        bench.client().close_idle();
    }
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    EXPECT_EQ(ended.get(), 0);
}

// Goal: faults are taken from the file the host was started with, met by requests and by no page of the program's own,
// and end with the file; one that others may write is refused.
TEST(HostLife, FaultsOfItsFileAreMet) {
    Bench bench;
    const TemporaryFolder folder;
    const auto file = folder.path() + "/faults";
    const auto install = [](Host& host) {
        host.serve(add, [](Context&, Note note) -> task<Result<Note>> { co_return note; });
    };
    HostOptions options;
    options.node.faults = file;
    TestHost host(bench, install, options);
    const auto status = [&] { return host.post("/notes", R"({"text":"a"})").status(); };
    EXPECT_EQ(status(), 200);
    value(write_fault_plan(file, {.fail_percent = 100}));
    EXPECT_TRUE(bench.eventually([&] { return status() == 500; }));
    EXPECT_FALSE(bench.lines_with("failed on purpose").empty());
    EXPECT_EQ(host.get("/readyz").status(), 200);
    value(write_fault_plan(file, {.slow_ms = 40}));
    const auto slow = [&] {
        const auto begun = bench.world().refresh();
        return status() == 200 && bench.world().refresh() - begun >= 40ms;
    };
    EXPECT_TRUE(bench.eventually(slow));
    ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
    EXPECT_TRUE(bench.eventually([&] { return !bench.lines_with("others than its owner may write it").empty(); }));
    EXPECT_TRUE(bench.eventually([&] { return !slow(); }));
    value(write_fault_plan(file, {}));
    EXPECT_EQ(status(), 200);
}

} // namespace
} // namespace flotilla::host_life_test
