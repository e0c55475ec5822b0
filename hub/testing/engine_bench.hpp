#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>

#include "hub/redis/engine.hpp"
#include "hub/redis/sqlite_journal.hpp"
#include "hub/testing/redis_client.hpp"
#include "hub/testing/temporary_folder.hpp"

namespace flotilla::hub {

/// An engine with a journal in a temporary folder and a clock that tests move, without any network.
class EngineBench {
public:
    explicit EngineBench(KeyspaceLimits limits = {}, EngineLimits engine_limits = {})
        : limits_(limits), engine_limits_(engine_limits) {
        open();
    }
    /// `prepare` makes the journal's file that it starts from.
    explicit EngineBench(const std::function<void(const std::filesystem::path&)>& prepare) {
        prepare(folder / "bus.db");
        open();
    }
    ~EngineBench() {
        if (engine) engine->disconnect(session);
    }

    /// Runs one command of the bench's own session and shows its replies; several (pushes) are separated by blanks.
    std::string operator()(const Words& command) { return run(session, command); }
    std::string run(Session& client, const Words& command) {
        const std::vector<std::string_view> arguments(command.begin(), command.end());
        engine->execute(client, arguments);
        return take(client);
    }
    /// What has been written for a session since the last look.
    std::string take(Session& client) {
        resp::Parser parser;
        parser.feed(std::exchange(client.output, {}));
        std::string text;
        for (;;) {
            auto value = parser.next();
            if (!value) throw std::runtime_error(value.error().message());
            if (!*value) return text;
            text += (text.empty() ? "" : " ") + show(**value);
        }
    }
    /// Commits (or not: a crash) and starts anew from the file.
    void restart(bool commit = true) {
        if (commit && !engine->commit()) throw std::runtime_error("the commit failed");
        engine->disconnect(session);
        engine.reset();
        keyspace.reset();
        journal.reset();
        open();
    }

    /// Starts from the file; for tests that have taken journal, keyspace and engine away.
    void open() {
        auto opened = SqliteJournal::open(folder / "bus.db");
        if (!opened) throw std::runtime_error(opened.error().message());
        journal = std::move(*opened);
        keyspace = std::make_unique<Keyspace>(*journal, limits_);
        if (auto loaded = keyspace->load(); !loaded) throw std::runtime_error(loaded.error().message());
        engine = std::make_unique<Engine>(*keyspace, [this] { return now_ms; }, engine_limits_);
        session = {};
        engine->connect(session);
    }

    std::int64_t now_ms = 1'000'000;
    TemporaryFolder folder;
    std::unique_ptr<SqliteJournal> journal;
    std::unique_ptr<Keyspace> keyspace;
    std::unique_ptr<Engine> engine;
    Session session;

private:
    KeyspaceLimits limits_;
    EngineLimits engine_limits_;
};

} // namespace flotilla::hub
