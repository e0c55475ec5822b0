#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/connection.hpp>

#include "cli/backup_manifest.hpp"
#include "cli/command_hint.hpp"
#include "cli/commands.hpp"
#include "cli/fleet_databases.hpp"
#include "cli/fleet_plan.hpp"
#include "cli/fleet_state.hpp"
#include "cli/shell_words.hpp"

namespace flotilla::cli::backup_test {
namespace {

namespace fs = std::filesystem;

/// A fleet's databases without its processes. The folder's name is one that must be quoted, and encoded in URLs.
class BackupTest : public testing::Test {
protected:
    BackupTest() : root_((fs::temp_directory_path() / "it's 100% odd?#-XXXXXX").string()) {
        if (::mkdtemp(root_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        options_.data = root_ + "/data";
        options_.file = root_ + "/flotilla.yaml";
        std::ofstream(options_.file) << "name: little\nservices:\n"
                                     << "  shop-service: {port: 3001}\n  stateless-service: {port: 3002}\n"
                                     << "  far-service: {port: 3003, database: \"" << sqlite_url(far_database())
                                     << "\"}\n";
        for (const auto& path : {kept("hub/bus.db"), kept("hub/registry.db"), kept("hub/mail.db"),
                                 kept("shop-service/shop-service.db"), far_database()}) {
            fs::create_directories(fs::path(path).parent_path());
            fill(path);
        }
    }
    ~BackupTest() override { fs::remove_all(root_); }

    std::string kept(const std::string& name) const { return options_.data + "/data/" + name; }
    std::string far_database() const { return root_ + "/elsewhere/far.db"; }
    static std::unique_ptr<sqlite::Connection> open(const std::string& path) {
        auto opened = sqlite::Connection::open(path);
        if (!opened) throw std::runtime_error(opened.error().message());
        return std::move(*opened);
    }
    static void fill(const std::string& path) {
        ASSERT_TRUE(
            open(path)->script("CREATE TABLE things (id TEXT PRIMARY KEY); INSERT INTO things VALUES ('kept')"));
    }
    static std::vector<std::string> things(const std::string& path) {
        return open(path)->select<std::string>("SELECT id FROM things ORDER BY id").value();
    }
    template <class Command>
    int run(Command command) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int code = command();
        out_ = testing::internal::GetCapturedStdout();
        error_ = testing::internal::GetCapturedStderr();
        return code;
    }
    int back_up(const std::string& name = "backup") {
        return run([&] { return backup({.fleet = options_, .folder = root_ + "/" + name}); });
    }
    int put_back(const std::string& into, const std::string& name = "backup") {
        FleetOptions target = options_;
        target.data = root_ + "/" + into;
        target.data_given = true;
        return run([&] { return restore({.fleet = target, .folder = root_ + "/" + name}); });
    }

    std::string root_;
    FleetOptions options_;
    std::string out_, error_;
};

// Goal: all databases of a fleet come back, with what lay in a -wal only, each as one file; those elsewhere to where
// they belong.
TEST_F(BackupTest, RestoreGivesEveryDatabaseBack) {
    auto writer = open(kept("shop-service/shop-service.db"));
    ASSERT_TRUE(writer->execute("INSERT INTO things VALUES ('late')"));
    ASSERT_EQ(back_up(), 0) << error_;
    EXPECT_TRUE(out_.starts_with("Backed up 5 databases")) << out_;
    EXPECT_EQ(fs::exists(root_ + "/backup/data/shop-service/shop-service.db-wal"), false);
    fs::rename(root_ + "/elsewhere", root_ + "/moved away");
    ASSERT_EQ(put_back("new"), 0) << error_;
    EXPECT_EQ(things(root_ + "/new/data/shop-service/shop-service.db"), (std::vector<std::string>{"kept", "late"}));
    EXPECT_EQ(things(root_ + "/new/data/hub/mail.db"), std::vector<std::string>{"kept"});
    EXPECT_EQ(things(far_database()), std::vector<std::string>{"kept"});
    EXPECT_TRUE(fs::exists(root_ + "/new/data/hub/restored")) << "for the registry";
    const auto manifest = read_manifest(root_ + "/backup");
    ASSERT_TRUE(manifest);
    EXPECT_EQ(manifest->fleet, "little");
    EXPECT_TRUE(fs::exists(root_ + "/backup/flotilla.yaml"));
}

// Goal: nothing that is there is written over, and nothing is left where a command was refused.
TEST_F(BackupTest, WhatIsThereIsRefused) {
    fs::create_directories(root_ + "/backup");
    EXPECT_EQ(back_up(), 0) << "an empty folder is none";
    EXPECT_EQ(back_up(), 1);
    EXPECT_TRUE(error_.contains("/backup is not empty")) << error_;
    EXPECT_EQ(put_back("data"), 1);
    EXPECT_TRUE(error_.contains("/data is not empty")) << error_;
    EXPECT_TRUE(error_.contains("move the old one away")) << error_;
    EXPECT_EQ(put_back("new"), 1) << "the database elsewhere is there still";
    EXPECT_TRUE(error_.contains(far_database())) << error_;
    EXPECT_EQ(put_back("new", "nothing"), 1);
    EXPECT_TRUE(error_.contains("is no backup")) << error_;
    EXPECT_FALSE(fs::exists(root_ + "/new"));
    for (const auto& entry : fs::directory_iterator(root_))
        EXPECT_FALSE(entry.path().string().contains("incomplete")) << entry.path();
}

// Goal: a fleet that runs is not restored over, and is named with the command that stops it.
TEST_F(BackupTest, RunningFleetIsRefused) {
    ASSERT_EQ(back_up(), 0) << error_;
    fs::create_directories(root_ + "/new");
    const auto self = identify(getpid());
    ASSERT_TRUE(write_state({root_ + "/new"}, {.fleet = "little", .supervisor = *self}));
    EXPECT_EQ(put_back("new"), 1);
    EXPECT_TRUE(error_.contains("a fleet runs on")) << error_;
    EXPECT_TRUE(error_.contains("./flotilla down --data " + shell_word(root_ + "/new"))) << error_;
}

// Goal: a backup that is not what it was is refused, and named; one of a damaged database is never made.
TEST_F(BackupTest, DamagedBackupsAreRefused) {
    ASSERT_EQ(back_up(), 0) << error_;
    std::fstream live(kept("hub/registry.db"), std::ios::in | std::ios::out | std::ios::binary);
    live.seekp(4096);
    live << std::string(4096, '\xA5') << std::flush;
    EXPECT_EQ(back_up("second"), 1);
    EXPECT_TRUE(error_.contains("registry.db")) << error_;
    EXPECT_TRUE(error_.contains("damaged")) << error_;
    EXPECT_FALSE(fs::exists(root_ + "/second"));

    fs::remove_all(root_ + "/elsewhere");
    {
        std::fstream file(root_ + "/backup/data/hub/mail.db", std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-1, std::ios::end);
        file << '\xA5';
    }
    EXPECT_EQ(put_back("new"), 1);
    EXPECT_TRUE(error_.contains("mail.db is not as it was backed up")) << error_;
    EXPECT_FALSE(fs::exists(root_ + "/new"));
    EXPECT_FALSE(fs::exists(far_database() + ".restoring"));
}

// Goal: a database that the fleet file names and that is not there is missed, not left out.
TEST_F(BackupTest, MissingDatabaseIsNamed) {
    fs::remove(far_database());
    EXPECT_EQ(back_up(), 1);
    EXPECT_TRUE(error_.contains("the database of far-service, " + far_database())) << error_;
}

// Goal: a fleet's databases that were not closed are found, so that nobody copies half of one.
TEST_F(BackupTest, UnclosedDatabasesAreFound) {
    EXPECT_EQ(unfinished_databases(data_folder(options_.data)), std::vector<std::string>{});
    auto writer = open(kept("hub/mail.db"));
    ASSERT_TRUE(writer->execute("INSERT INTO things VALUES ('late')"));
    EXPECT_EQ(unfinished_databases(data_folder(options_.data)), std::vector<std::string>{kept("hub/mail.db")});
    writer.reset();
    EXPECT_EQ(unfinished_databases(data_folder(options_.data)), std::vector<std::string>{});
}

/// What a shell makes of a printed word.
std::string said_by(const std::string& shell, const std::string& word) {
    std::string out;
    const std::string script = "printf '%s' " + word;
    std::FILE* pipe = ::popen((shell + " -c " + shell_word(script)).c_str(), "r");
    std::array<char, 256> piece;
    for (std::size_t size; (size = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
        out.append(piece.data(), size);
    EXPECT_EQ(::pclose(pipe), 0) << word;
    return out;
}

// Goal: a printed command can be pasted whatever its words hold, and stays readable where nothing must be quoted.
TEST(ShellWord, ShellsReadBackWhatWasMeant) {
    EXPECT_EQ(shell_word("/tmp/plain-1.db"), "/tmp/plain-1.db");
    for (const std::string text :
         {"/tmp/it's", "", "a b", "$HOME `ls` \\ \"x\"", "odd?x*[1]", "~/x", "-x", "!a", "été", "a;b|c&d", "a'b\\"}) {
        EXPECT_EQ(said_by("sh", shell_word(text)), text);
        EXPECT_EQ(said_by("bash", shell_word(text)), text);
    }
    const std::string lines = "two\nlines\tit's \\n \x01g";
    EXPECT_EQ(shell_word(lines).find('\n'), std::string::npos);
    EXPECT_EQ(said_by("bash", shell_word(lines)), lines);
    EXPECT_EQ(command_hint({.data = "/tmp/it's", .data_given = true}, "down"),
              R"(./flotilla down --data '/tmp/it'\''s')");
    EXPECT_EQ(command_hint({.data = "/tmp/it's"}, "down"), "./flotilla down");
}

// Goal: a data folder's name that leaves no room for Unix sockets is told; a shorter one has them.
TEST_F(BackupTest, LongDataFoldersAreToldToBeSlow) {
    const auto file = read_fleet_file(options_.file);
    ASSERT_TRUE(file);
    FleetFile services = *file;
    for (auto& service : services.services)
        service.binary = "true";
    const auto noted = [&](const std::string& name) {
        const DataFolder folder{root_ + "/" + name};
        auto plan = plan_fleet(services, folder, 0, root_);
        EXPECT_TRUE(plan) << plan.error().message();
        return plan ? socket_note(*plan, folder) : "";
    };
    for (const char* name : {"true", "flotilla-hub"})
        std::ofstream(root_ + "/" + name) << "";
    EXPECT_EQ(noted("short"), "");
    const auto note = noted(std::string(90, 'x'));
    EXPECT_TRUE(note.contains("107 bytes: 3 services are called over TCP")) << note;
}

// Goal: a name that could not be kept is refused.
TEST(DataFolderName, MustBeUtf8) {
    EXPECT_THROW(data_folder("/tmp/\xff"), std::invalid_argument);
    EXPECT_EQ(data_folder("/tmp/\xC3\xA9/").root, "/tmp/\xC3\xA9");
}

} // namespace
} // namespace flotilla::cli::backup_test
