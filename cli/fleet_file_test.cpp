#include "cli/fleet_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/fleet_plan.hpp"

namespace flotilla::cli::fleet_file_test {
namespace {

class FleetFileTest : public testing::Test {
protected:
    FleetFileTest() : folder_(std::filesystem::temp_directory_path() / ("flotilla-file-" + std::to_string(getpid()))) {
        std::filesystem::create_directories(folder_);
    }
    ~FleetFileTest() override { std::filesystem::remove_all(folder_); }

    Result<FleetFile> read(const std::string& text) {
        const auto path = folder_ / "flotilla.yaml";
        std::ofstream(path) << text;
        return read_fleet_file(path.string());
    }
    /// The message behind "<path>:".
    std::string mistake(const std::string& text) {
        auto file = read(text);
        if (file) return "no mistake";
        const auto prefix = (folder_ / "flotilla.yaml").string() + ":";
        const auto& message = file.error().message();
        return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
    }

    std::filesystem::path folder_;
};

// Goal: the project's own file is valid and gives the documented ports.
TEST_F(FleetFileTest, ShopIsReadWithItsPorts) {
    const char* source = std::getenv("FLOTILLA_SOURCE");
    ASSERT_NE(source, nullptr);
    auto file = read_fleet_file(std::string(source) + "/flotilla.yaml");
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_EQ(file->name, "shop");
    EXPECT_EQ(file->gateway_port, 3000);
    EXPECT_TRUE(file->try_it.starts_with("curl -s {gateway}/api/users ")) << file->try_it;
    ASSERT_EQ(file->services.size(), 9U);
    EXPECT_EQ(file->services[0].name, "user-service");
    EXPECT_EQ(file->services[0].port, 3001);
}

// Goal: every mistake is named with its line, and a misspelt key with the nearest one.
TEST_F(FleetFileTest, MistakesAreNamedWithTheirPlace) {
    EXPECT_EQ(mistake("nmae: x\n"), "1:1: flotilla.yaml: unknown key 'nmae'; did you mean 'name'?");
    EXPECT_EQ(mistake("hub:\n  http: 99999\n"), "2:9: hub.http: expected a port, 1..65535, found '99999'");
    EXPECT_EQ(mistake("hub:\n  http: web\n"), "2:9: hub.http: expected a port, 1..65535, found 'web'");
    EXPECT_EQ(mistake("services:\n  a:\n    loops: 2\n"), "3:5: a: 'port' is missing");
    EXPECT_EQ(mistake("services:\n  a:\n    port: 1\n    loops: 0\n"),
              "4:12: a.loops: expected a number of loops, 1..256, found '0'");
    EXPECT_EQ(mistake("services:\n  a: {port: 1, weight: 0}\n"),
              "2:24: a.weight: expected a number, 0.01..1000, found '0'");
    EXPECT_EQ(mistake("services:\n  a: {port: 1, tags: [b c]}\n"),
              "2:23: a.tags: expected a word without spaces and ',', found 'b c'");
    EXPECT_EQ(mistake("targets:\n  a: {endpoints: {\"GET /b\": {breaker.open: 1s}}}\nservices: {a: {port: 1}}\n"),
              "2:44: targets.a.endpoints.GET /b: breaker.open is of all calls to a, not of one endpoint: say it there");
    EXPECT_EQ(mistake("targets:\n  a: {endpoints: 1}\nservices: {a: {port: 1}}\n"),
              "2:18: targets.a.endpoints must be a map of endpoints, such as \"GET /users/{id}\", and their options");
    EXPECT_EQ(mistake("services: [a]\n"), "1:11: services: expected a map of services by name");
    EXPECT_EQ(mistake("services:\n  a: {port: 7}\n  a: {port: 8}\n"), "3:3: services: 'a' is taken already");
    for (const std::string name : {"../a", "a b", "-a", "\"\"", "!!x ", "a/b"}) {
        EXPECT_TRUE(mistake("services:\n  " + name + ": {port: 7}\n").contains("expected a name of letters")) << name;
    }
    EXPECT_TRUE(mistake("services: {a: [}\n").starts_with("1:")) << mistake("services: {a: [}\n");
}

// Goal: ports and databases belong to one service each.
TEST_F(FleetFileTest, SharedPortsAndDatabasesAreRefused) {
    EXPECT_EQ(mistake("services:\n  a: {port: 7}\n  b: {port: 7}\n"),
              "3:6: b and a are both given port 7; each needs its own");
    EXPECT_EQ(mistake("services:\n  a: {port: 7, database: 'sqlite:x'}\n  b: {port: 8, database: 'sqlite:x'}\n"),
              "3:26: b and a are both given database sqlite:x; each needs its own");
    EXPECT_EQ(mistake("services:\n  a: {port: 8500}\n"),
              "2:6: a and hub.http are both given port 8500; each needs its own");
}

// Goal: each instance has a port of its own, by a rule; one that another has is refused by its name.
TEST_F(FleetFileTest, InstancesHavePortsOfTheirOwn) {
    EXPECT_EQ(mistake("services:\n  a: {port: 7, instances: 0}\n"),
              "2:27: a.instances: expected a number of instances, 1..64, found '0'");
    EXPECT_EQ(mistake("services:\n  a: {port: 3000, instances: 3}\n  b: {port: 3200}\n"),
              "3:6: b and a.3 are both given port 3200; each needs its own");
    EXPECT_EQ(mistake("services:\n  a: {port: 7, instances: 2, database: 'sqlite::memory:'}\n"),
              "2:40: a: a database in memory cannot be shared by its instances");
    auto file = read("services:\n  a: {port: 3001, instances: 2, binary: a}\n");
    ASSERT_TRUE(file) << file.error().message();
    const DataFolder data{(folder_ / "data").string()};
    for (const char* name : {"flotilla-hub", "a"})
        std::ofstream(folder_ / name) << "";
    const auto plan = plan_fleet(*file, data, 10, folder_.string());
    ASSERT_TRUE(plan) << plan.error().message();
    ASSERT_EQ(plan->size(), 3U);
    std::vector<std::string> databases;
    for (const auto& member : *plan) {
        const auto& arguments = member.command.arguments;
        const auto flag = std::ranges::find(arguments, "--database");
        if (flag != arguments.end()) databases.push_back(*std::next(flag));
    }
    EXPECT_EQ((*plan)[1].name, "a.1");
    EXPECT_EQ((*plan)[1].port, 3011);
    EXPECT_EQ((*plan)[2].name, "a.2");
    EXPECT_EQ((*plan)[2].port, 3111);
    EXPECT_EQ((*plan)[2].command.log_file, data.log_file("a.2"));
    EXPECT_EQ(databases, std::vector<std::string>(2, "sqlite:" + data.root + "/data/a/a.db?processes=several"));
}

// Goal: an empty file is called empty.
TEST_F(FleetFileTest, EmptyFileIsCalledEmpty) {
    for (const char* text : {"", "# nothing but a comment\n"})
        EXPECT_TRUE(mistake(text).starts_with(" the file is empty")) << mistake(text);
}

// Goal: how a service calls others comes from what the fleet says of all services and what is said of this one.
TEST_F(FleetFileTest, TargetsAreThoseOfTheFleetAndThenTheServicesOwn) {
    const auto file = read("targets:\n"
                           "  \"*\": {retry.retries: 1}\n"
                           "  a: {breaker: {open: 30s}}\n"
                           "services:\n"
                           "  a: {port: 7}\n"
                           "  b: {port: 8, targets: {\"*\": {retry: {retries: 2}}}}\n");
    ASSERT_TRUE(file) << file.error().message();
    const auto texts_of = [&](std::size_t service) {
        std::vector<std::string> texts;
        for (const auto& setting : file->services[service].targets.settings())
            texts.push_back(to_text(setting));
        return texts;
    };
    EXPECT_EQ(texts_of(0), (std::vector<std::string>{"*.retry.retries=1 # flotilla.yaml: targets",
                                                     "a.breaker.open=30s # flotilla.yaml: targets"}));
    ASSERT_EQ(texts_of(1).size(), 3U);
    EXPECT_EQ(texts_of(1)[2], "*.retry.retries=2 # flotilla.yaml: services.b.targets");
    EXPECT_EQ(file->services[1].targets.options_of("a").retry.retries, 2U);
}

// Goal: a wrong target is named with its place, the range and the nearest name.
TEST_F(FleetFileTest, WrongTargetsAreNamedWithTheirPlace) {
    const auto with = [&](const std::string& targets) {
        return mistake("services:\n  a: {port: 7, targets: " + targets + "}\n");
    };
    EXPECT_EQ(with("[]"), "2:25: services.a.targets must be a map of services, or \"*\" for all, and their options");
    EXPECT_EQ(with("{b: {}}"), "2:26: services.a.targets: there is no service 'b'; did you mean 'a'?");
    EXPECT_EQ(with("{a: {retry: {retries: -1}}}"),
              "2:47: services.a.targets.a: retry.retries must be a whole number from 0 to 100, found '-1'");
    EXPECT_EQ(with("{a: {retry: {retires: 1}}}"),
              "2:47: services.a.targets.a: there is no option 'retry.retires'; did you mean 'retry.retries'?");
    EXPECT_EQ(mistake("targets: {a: {breaker.open_max: 90s}}\n"
                      "services: {a: {port: 7, targets: {\"*\": {breaker.open: 100s}}}}\n"),
              "2:34: services.a.targets.a: breaker.open (100s) must not be longer than breaker.open_max (90s)");
}

// Goal: a missing file says what it should be.
TEST_F(FleetFileTest, MissingFileIsExplained) {
    auto file = read_fleet_file((folder_ / "none.yaml").string());
    ASSERT_FALSE(file);
    EXPECT_TRUE(file.error().message().ends_with("a fleet is described by flotilla.yaml")) << file.error().message();
}

// Goal: offset and addresses reach every process; binaries that are not built are named.
TEST_F(FleetFileTest, PlanShiftsPortsAndNamesMissingBinaries) {
    auto file = read("services:\n  a:\n    port: 3001\n    binary: true-service\n    settings: {colour: red}\n"
                     "    zone: eu-1a\n    weight: 2.5\n    tags: [canary, blue]\n"
                     "    targets: {a: {retry.retries: 1}}\n");
    ASSERT_TRUE(file) << file.error().message();
    const DataFolder data{(folder_ / "data").string()};
    auto missing = plan_fleet(*file, data, 10, folder_.string());
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().message().contains("flotilla-hub does not exist; build it"))
        << missing.error().message();

    for (const char* name : {"flotilla-hub", "true-service"})
        std::ofstream(folder_ / name) << "";
    auto plan = plan_fleet(*file, data, 10, folder_.string());
    ASSERT_TRUE(plan) << plan.error().message();
    ASSERT_EQ(plan->size(), 2U);
    EXPECT_EQ((*plan)[0].port, 8510);
    const auto& arguments = (*plan)[1].command.arguments;
    const std::string all = [&] {
        std::string text;
        for (const auto& argument : arguments)
            text += argument + " ";
        return text;
    }();
    EXPECT_TRUE(all.contains("--port 3011 ")) << all;
    EXPECT_TRUE(all.contains("--registry consul://127.0.0.1:8510 ")) << all;
    EXPECT_TRUE(all.contains("--bus redis://127.0.0.1:6390 ")) << all;
    EXPECT_TRUE(all.contains("--zone eu-1a --weight 2.5 --tag canary --tag blue ")) << all;
    EXPECT_TRUE(all.contains("--set colour=red ")) << all;
    EXPECT_TRUE(all.contains("--target a.retry.retries=1 # flotilla.yaml: services.a.targets ")) << all;
    EXPECT_EQ((*plan)[1].command.environment.at("FLOTILLA_SET_SMTP"), "smtp://127.0.0.1:2535");
    EXPECT_FALSE(plan_fleet(*file, data, 60000, folder_.string()));
}

} // namespace
} // namespace flotilla::cli::fleet_file_test
