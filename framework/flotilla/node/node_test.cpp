#include <flotilla/node/node.hpp>

#include <filesystem>
#include <future>
#include <set>
#include <signal.h>
#include <stdexcept>
#include <unistd.h>

#include <gtest/gtest.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/test_streams.hpp>
#include <flotilla/http/client.hpp>
#include <flotilla/http/problem.hpp>
#include <flotilla/node/lanes.hpp>

namespace flotilla::node_test {
namespace {

using namespace std::chrono_literals;

/// What happened, in order. Thread-safe.
class Notes {
public:
    void note(std::string what) {
        const std::lock_guard lock(mutex_);
        all_.push_back(std::move(what));
    }
    std::vector<std::string> all() {
        const std::lock_guard lock(mutex_);
        return all_;
    }

private:
    std::mutex mutex_;
    std::vector<std::string> all_;
};

/// Notes what it is told.
class NotingRegistry final : public Registry {
public:
    explicit NotingRegistry(Notes& notes) : notes_(notes) {}
    void announce(Instance instance) override {
        notes_.note("announce " + instance.id);
        announced = std::move(instance);
    }
    task<Result<void>> withdraw(Context&) override {
        notes_.note("withdraw");
        co_return Result<void>();
    }
    Instances instances(std::string_view) override { return std::make_shared<const std::vector<Instance>>(); }
    task<Result<Instances>> resolve(Context&, std::string service) override { co_return instances(service); }
    task<void> run(Context& context) override {
        Event never;
        std::ignore = co_await never.wait(context);
        notes_.note("registry ended");
    }
    Result<void> health() const override { return {}; }

    Instance announced;

private:
    Notes& notes_;
};

/// One loop with a node on it that answers with its own pages, /slow once `gate` opens, and "hello" to the rest.
class NodeTest : public testing::Test {
protected:
    ~NodeTest() override { finish(); }
    void finish() {
        stop_.cancel(Error(Kind::cancelled, "the test has ended"));
        gate_.notify();
        loop_.run_until_done(scope_.join());
    }

    Node& start(NodeOptions options = {}, std::vector<Part> parts = {}, Lane lane = {}) {
        options.service = "quote-service";
        auto handler = [this](Context& context, http::Exchange& exchange) { return answer(context, exchange); };
        node_ = Node::listen(loop_.world(), telemetry_, {.options = options, .lane = lane, .handler = handler}).value();
        pages_.emplace(node_->identity(), [this] { return node_->health(); }, telemetry_.metrics);
        for (auto& part : parts)
            node_->add(std::move(part));
        node_->announce_in(registry_);
        scope_.spawn(run());
        return *node_;
    }
    task<void> run() {
        NodeEvents events{.ready = [this] { notes_.note("ready"); }, .withdrawn = [this] { notes_.note("withdrawn"); }};
        outcome_ = co_await node_->run(stop_, std::move(events));
    }
    task<void> answer(Context& context, http::Exchange& exchange) {
        const std::string path(exchange.request().path());
        if (pages_->has(path)) co_return co_await pages_->answer(context, exchange, path);
        if (path == "/slow") {
            arrived_.notify();
            std::ignore = co_await gate_.wait(context);
            notes_.note("answered");
        }
        std::ignore = co_await exchange.respond(context, {}, "hello");
    }
    task<void> ask_slowly() {
        http::Request request;
        request.head.target = "/slow";
        auto response = co_await client_.fetch(root_, node_->address(), std::move(request));
        EXPECT_EQ(response.value().body, "hello");
    }
    void ask_to_stop() { stop_.cancel(Error(Kind::cancelled, "asked to stop")); }

    bool eventually(const std::function<bool()>& condition) {
        const auto end = loop_.world().monotonic() + 10s;
        while (!condition()) {
            if (loop_.world().monotonic() > end) return false;
            std::ignore = loop_.run_until_done(sleep_for(root_, 1ms));
        }
        return true;
    }
    http::Response get(std::string target) {
        http::Request request;
        request.head.target = std::move(target);
        Context bounded(root_, Duration(10s));
        return loop_.run_until_done(client_.fetch(bounded, node_->address(), std::move(request))).value();
    }

    Loop loop_;
    Context root_{loop_.world()};
    Context stop_{root_};
    std::vector<std::string> lines_;
    Telemetry telemetry_{Logger("quote-service", LogLevel::info, Logger::Format::json,
                                [this](std::string_view line) { lines_.emplace_back(line); })};
    Notes notes_;
    NotingRegistry registry_{notes_};
    std::unique_ptr<Node> node_;
    std::optional<OwnPages> pages_;
    std::optional<Result<void>> outcome_;
    Event arrived_, gate_;
    http::Client client_{loop_.world()};
    Scope scope_{root_};
};

task<void> until_cancelled(Context& context, Notes& notes, std::string name) {
    Event never;
    std::ignore = co_await never.wait(context);
    notes.note(name + " ended");
}

// Goal: callers stop coming, what is waited for ends, requests in flight are answered, then the rest ends.
TEST_F(NodeTest, EndsInOrder) {
    auto& node = start(
        {}, {{.name = "queries",
              .run = [&](Context& context) { return until_cancelled(context, notes_, "queries"); },
              .ends_first = true},
             {.name = "relay", .run = [&](Context& context) { return until_cancelled(context, notes_, "relay"); }}});
    scope_.spawn(ask_slowly());
    ASSERT_TRUE(loop_.run_until_done(arrived_.wait(root_)));
    ask_to_stop();
    ASSERT_TRUE(eventually([&] { return notes_.all().back() == "queries ended"; }));
    EXPECT_EQ(node.health().status, "unavailable");
    gate_.notify();
    ASSERT_TRUE(eventually([&] { return outcome_.has_value(); }));
    EXPECT_TRUE(*outcome_);
    auto all = notes_.all();
    ASSERT_EQ(all.size(), 8U);
    std::sort(all.end() - 2, all.end()); // these end together
    const std::vector<std::string> order{"announce " + node.identity().instance,
                                         "ready",
                                         "withdraw",
                                         "withdrawn",
                                         "queries ended",
                                         "answered",
                                         "registry ended",
                                         "relay ended"};
    EXPECT_EQ(all, order);
    EXPECT_EQ(node.identity().instance, "quote-service-" + std::to_string(node.address().port));
}

// Goal: each part's check stands in /readyz under its name.
TEST_F(NodeTest, PartsTellHowTheyAre) {
    Result<void> relay;
    start({.instance = "one"}, {{.name = "relay",
                                 .run = [&](Context& context) { return until_cancelled(context, notes_, "relay"); },
                                 .check = [&] { return relay; }}});
    EXPECT_EQ(get("/healthz").status(), 200);
    relay = Error(Kind::unavailable, "12 events wait");
    const auto ready = get("/readyz");
    EXPECT_EQ(ready.status(), 200);
    EXPECT_NE(ready.body.find(R"("status":"degraded","service":"quote-service","instance":"one","version":"0.1.0")"),
              std::string::npos)
        << ready.body;
    EXPECT_NE(ready.body.find(R"("relay":{"status":"failed","detail":"12 events wait"})"), std::string::npos);
    EXPECT_NE(ready.body.find(R"("registry":{"status":"ok"})"), std::string::npos);
}

task<void> break_down(Context& context) {
    if (co_await sleep_for(context, 1ms)) throw std::runtime_error("off by one");
}

// Goal: a part that ends with a bug ends the node, which says what it was, and withdraws as always.
TEST_F(NodeTest, BugOfAPartEndsTheNode) {
    start({}, {{.name = "relay", .run = break_down}});
    ASSERT_TRUE(eventually([&] { return outcome_.has_value(); }));
    ASSERT_FALSE(*outcome_);
    EXPECT_EQ(outcome_->error().message(), "relay ended with a bug: off by one");
    EXPECT_EQ(std::ranges::count_if(lines_, [](const auto& line) { return line.contains("off by one"); }), 1);
    EXPECT_EQ(std::ranges::count(notes_.all(), "withdraw"), 1);
}

// Goal: a program that can go on no more ends with its reason.
TEST_F(NodeTest, FailureIsWhatRunGives) {
    auto& node = start();
    node.fail(Error(Kind::unavailable, "the disk has gone"));
    node.fail(Error(Kind::unavailable, "and so has its log"));
    ASSERT_TRUE(eventually([&] { return outcome_.has_value(); }));
    EXPECT_EQ(outcome_->error().message(), "the disk has gone");
}

// Goal: callers learn where a program runs, what share it takes and what it is marked with, where its contract is, and
// which of its runs this is.
TEST_F(NodeTest, AnnouncesZoneWeightTagsContractAndRun) {
    auto& node = start({.zone = "eu-1a", .weight = 2.5, .tags = {"canary"}, .contract_path = "/openapi.json"});
    ASSERT_TRUE(eventually([&] { return !registry_.announced.id.empty(); }));
    EXPECT_EQ(registry_.announced.zone, "eu-1a");
    EXPECT_EQ(registry_.announced.weight, 2.5);
    EXPECT_EQ(registry_.announced.tags, std::vector<std::string>{"canary"});
    EXPECT_EQ(registry_.announced.contract_url, "http://" + node.address().to_string() + "/openapi.json");
    const auto run = registry_.announced.incarnation;
    EXPECT_FALSE(run.empty());
    finish();
    Context again(loop_.world());
    auto next =
        Node::listen(loop_.world(), telemetry_, {.options = {.service = "quote-service"}, .handler = {}}).value();
    next->announce_in(registry_);
    again.cancel(Error(Kind::cancelled, "asked to stop"));
    EXPECT_TRUE(loop_.run_until_done(next->run(again)));
    EXPECT_NE(registry_.announced.incarnation, run);
}

// Goal: what other loops tell of the program's health is the primary one's.
TEST_F(NodeTest, OtherLoopsTellThePrimaryOnesHealth) {
    HealthBoard board;
    auto& node = start({}, {}, {.number = 1, .health = &board});
    EXPECT_EQ(node.health().status, "unavailable");
    board.post({.status = "degraded"}, loop_.world().monotonic());
    EXPECT_EQ(node.health().status, "degraded");
    finish();
    EXPECT_EQ(node.health().status, "unavailable");
    EXPECT_EQ(std::ranges::count_if(notes_.all(), [](const auto& note) { return note.starts_with("announce"); }), 0);
}

// Goal: a port that is taken is named, also when both share theirs with their own loops.
TEST_F(NodeTest, TakenPortIsRefused) {
    auto& node = start({.loops = 2});
    for (const std::size_t loops : {1U, 2U}) {
        NodeOptions options{.service = "other", .port = node.address().port, .loops = loops};
        const auto taken = Node::listen(loop_.world(), telemetry_, {.options = options, .handler = {}});
        ASSERT_FALSE(taken) << loops;
        EXPECT_TRUE(taken.error().message().contains(node.address().to_string())) << taken.error().message();
    }
}

// ---- lanes ----

/// What each loop of the program below runs: a node that says which loop it is.
class Numbered final : public Runnable {
public:
    Numbered(World& world, Telemetry& telemetry, const NodeOptions& options, Lane lane, Notes& notes)
        : world_(world), number_(std::to_string(lane.number)), registry_(notes), notes_(notes),
          node_(Node::listen(world, telemetry,
                             {.options = options,
                              .lane = lane,
                              .handler = [this](Context& context,
                                                http::Exchange& exchange) { return answer(context, exchange); }})
                    .value()) {
        node_->announce_in(registry_);
    }
    const Address& address() const override { return node_->address(); }
    /// From any thread.
    void fail() {
        world_.post([this] { node_->fail(Error(Kind::unavailable, "enough")); });
    }
    task<Result<void>> run(Context& stop, std::function<void()> withdrawn) override {
        auto served = co_await node_->run(stop, {.withdrawn = std::move(withdrawn)});
        notes_.note("loop " + number_ + " ended");
        co_return served;
    }

private:
    task<void> answer(Context& context, http::Exchange& exchange) {
        std::ignore = co_await exchange.respond(context, {}, number_);
    }
    World& world_;
    std::string number_;
    NotingRegistry registry_;
    Notes& notes_;
    std::unique_ptr<Node> node_;
};

/// A program of several loops on a thread of its own.
class Lanes : public testing::Test {
protected:
    void start(std::size_t loops) {
        const NodeOptions options{.service = "numbers", .data = folder_.file("made"), .loops = loops};
        ended_ = std::async(std::launch::async, [this, options] {
            return run_lanes(telemetry_, options, [this](Context&, World& world, NodeOptions its, Lane lane) {
                return make(world, its, lane);
            });
        });
        auto listening = ready_.get_future();
        if (listening.wait_for(10s) != std::future_status::ready) throw std::runtime_error("it does not start");
        address_ = listening.get();
    }
    task<Result<std::unique_ptr<Runnable>>> make(World& world, NodeOptions options, Lane lane) {
        made_.push_back(new Numbered(world, telemetry_, options, lane, notes_));
        if (made_.size() == options.loops) ready_.set_value(made_.front()->address());
        co_return std::unique_ptr<Runnable>(made_.back());
    }
    std::string ask() {
        http::Client client(loop_.world());
        Context bounded(context_, Duration(10s));
        return loop_.run_until_done(client.fetch(bounded, address_, http::Request{})).value().body;
    }

    TemporaryFolder folder_;
    Telemetry telemetry_{Logger("numbers", LogLevel::error, Logger::Format::json)};
    Notes notes_;
    std::promise<Address> ready_;
    std::vector<Numbered*> made_;
    std::future<int> ended_;
    Address address_;
    Loop loop_;
    Context context_{loop_.world()};
};

// Goal: the loops share the port that the first was given; a signal ends them cleanly, the withdrawing one not first.
TEST_F(Lanes, ShareAPortAndEndTogether) {
    start(2);
    EXPECT_TRUE(std::filesystem::is_directory(folder_.file("made")));
    std::set<std::string> met;
    // The kernel spreads connections by their ports: each try makes a new one.
    for (int i = 0; i < 1000 && met.size() < 2; ++i)
        met.insert(ask());
    EXPECT_EQ(met.size(), 2U);
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    EXPECT_EQ(ended_.get(), 0);
    const auto all = notes_.all();
    const auto at = [&](const std::string& note) { return std::ranges::find(all, note); };
    EXPECT_EQ(std::ranges::count(all, "withdraw"), 1);
    EXPECT_LT(at("withdraw"), at("loop 1 ended"));
    EXPECT_NE(at("loop 0 ended"), all.end());
}

// Goal: a program never goes on with one loop less.
TEST_F(Lanes, LoopThatEndsEarlyEndsAll) {
    start(2);
    EXPECT_FALSE(ask().empty()); // all of them serve
    made_[1]->fail();
    EXPECT_EQ(ended_.get(), 1);
    EXPECT_EQ(std::ranges::count(notes_.all(), "loop 0 ended"), 1);
}

// Goal: what cannot be prepared on one of the loops starts on none.
TEST_F(Lanes, FailedPreparationEndsWithOne) {
    std::vector<std::string> lines;
    Telemetry telemetry{Logger("numbers", LogLevel::info, Logger::Format::json,
                               [&](std::string_view line) { lines.emplace_back(line); })};
    const auto refuse = [&](Context&, World& world, NodeOptions options,
                            Lane lane) -> task<Result<std::unique_ptr<Runnable>>> {
        if (lane.number == 1) co_return Error(Kind::unavailable, "no second one");
        co_return std::make_unique<Numbered>(world, telemetry, options, lane, notes_);
    };
    EXPECT_EQ(run_lanes(telemetry, {.service = "numbers", .data = folder_.file("refused"), .loops = 2}, refuse), 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains("no second one")) << lines[0];
    EXPECT_TRUE(notes_.all().empty());
}

} // namespace
} // namespace flotilla::node_test
