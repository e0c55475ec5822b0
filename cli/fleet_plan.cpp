#include "cli/fleet_plan.hpp"

#include <algorithm>
#include <filesystem>

#include <flotilla/store/database.hpp>

namespace flotilla::cli {
namespace {

// A Unix socket's path has at most 107 bytes (sockaddr_un); longer ones go without, and say so.
constexpr std::size_t kSocketPathMax = 107;

std::string local(const char* scheme, int port) { return std::string(scheme) + "://127.0.0.1:" + std::to_string(port); }

std::string binary_of(const ServiceEntry& service, const FleetFile& file, const std::string& binary_folder) {
    if (service.binary.empty()) return binary_folder + "/" + service.name;
    if (!service.binary.contains('/')) return binary_folder + "/" + service.binary;
    return (std::filesystem::path(file.path).parent_path() / service.binary).lexically_normal().string();
}

PlannedMember plan_hub(const FleetFile& file, const DataFolder& folder, int offset, const std::string& binary_folder) {
    return {.name = "hub",
            .port = file.hub_http + offset,
            .other_ports = {{"bus", file.hub_bus + offset}, {"SMTP", file.hub_smtp + offset}},
            .command = {.binary = binary_folder + "/flotilla-hub",
                        .arguments = {"--data", folder.member_folder("hub"), "--http-port",
                                      std::to_string(file.hub_http + offset), "--redis-port",
                                      std::to_string(file.hub_bus + offset), "--smtp-port",
                                      std::to_string(file.hub_smtp + offset)}}};
}

void add_registration(const Registration& registration, std::vector<std::string>& arguments) {
    if (!registration.zone.empty()) arguments.insert(arguments.end(), {"--zone", registration.zone});
    if (!registration.weight.empty()) arguments.insert(arguments.end(), {"--weight", registration.weight});
    for (const auto& tag : registration.tags)
        arguments.insert(arguments.end(), {"--tag", tag});
}

PlannedMember plan_gateway(const FleetFile& file, const DataFolder& folder, int offset,
                           const std::string& binary_folder) {
    PlannedMember gateway{
        .name = "gateway",
        .port = file.gateway_port + offset,
        .config_file = file.gateway_config,
        .command = {.binary = binary_folder + "/flotilla-gateway",
                    .arguments = {"--config", file.gateway_config, "--port", std::to_string(file.gateway_port + offset),
                                  "--data", folder.member_folder("gateway"), "--registry",
                                  local("consul", file.hub_http + offset), "--loops",
                                  std::to_string(file.gateway_loops)}}};
    add_registration({.zone = file.gateway_zone}, gateway.command.arguments);
    return gateway;
}

/// The URL of the one database that the instances of a service share.
std::string shared_database(const ServiceEntry& service, const DataFolder& folder) {
    const auto url = service.database.empty()
                         ? sqlite_url(folder.member_folder(service.name) + "/" + service.name + ".db")
                         : service.database;
    return url + (url.contains('?') ? "&" : "?") + "processes=several";
}

PlannedMember plan_service(const ServiceEntry& service, int instance, const FleetFile& file, const DataFolder& folder,
                           int offset, const std::string& binary_folder) {
    PlannedMember member{.name = instance_name(service, instance),
                         .port = instance_port(service, instance) + offset,
                         .one_of_several = service.instances > 1};
    auto& arguments = member.command.arguments;
    member.command.binary = binary_of(service, file, binary_folder);
    arguments = {"--port",     std::to_string(member.port),
                 "--data",     folder.member_folder(member.name),
                 "--registry", local("consul", file.hub_http + offset),
                 "--bus",      local("redis", file.hub_bus + offset),
                 "--loops",    std::to_string(service.loops)};
    add_registration(service.registration, arguments);
    const auto socket = folder.socket_file(member.name);
    member.without_socket = socket.size() > kSocketPathMax;
    if (!member.without_socket) arguments.insert(arguments.end(), {"--unix-socket", socket});
    if (member.one_of_several) {
        arguments.insert(arguments.end(), {"--database", shared_database(service, folder)});
    } else if (!service.database.empty()) {
        arguments.insert(arguments.end(), {"--database", service.database});
    }
    for (const auto& [name, value] : service.settings)
        arguments.insert(arguments.end(), {"--set", name + "=" + value});
    for (const auto& setting : service.targets.settings())
        arguments.insert(arguments.end(), {"--target", to_text(setting)});
    // Services that send mail find the fleet's own catcher unless their settings name another server.
    member.command.environment["FLOTILLA_SET_SMTP"] = local("smtp", file.hub_smtp + offset);
    return member;
}

} // namespace

std::string socket_note(const std::vector<PlannedMember>& members, const DataFolder& folder) {
    const auto without = std::ranges::count_if(members, &PlannedMember::without_socket);
    if (without == 0) return {};
    return "the name of the data folder " + folder.root +
           " is so long that Unix sockets in it would have names of more than " + std::to_string(kSocketPathMax) +
           " bytes: " + std::to_string(without) +
           " services are called over TCP, at more cost; a shorter --data ends that";
}

Result<std::vector<PlannedMember>> plan_fleet(const FleetFile& file, const DataFolder& folder, int port_offset,
                                              const std::string& binary_folder, bool chaos) {
    std::vector<PlannedMember> members{plan_hub(file, folder, port_offset, binary_folder)};
    for (const auto& service : file.services) {
        for (int instance = 1; instance <= service.instances; ++instance) {
            members.push_back(plan_service(service, instance, file, folder, port_offset, binary_folder));
        }
    }
    if (!file.gateway_config.empty()) members.push_back(plan_gateway(file, folder, port_offset, binary_folder));
    for (auto& member : members) {
        if (chaos && member.name != "hub")
            member.command.arguments.insert(member.command.arguments.end(),
                                            {"--faults", folder.fault_file(member.name)});
        for (const auto& [role, port] : member.ports()) {
            if (port >= 1 && port <= 65535) continue;
            return Error(Kind::invalid, member.name + ": " + role + " port " + std::to_string(port) +
                                            " (with --port-offset " + std::to_string(port_offset) +
                                            ") is not within 1..65535");
        }
        if (!std::filesystem::exists(member.command.binary)) {
            return Error(Kind::not_found, member.name + ": " + member.command.binary +
                                              " does not exist; build it with ./flotilla build");
        }
        member.command.log_file = folder.log_file(member.name);
        member.command.environment["FLOTILLA_LOG_FORMAT"] = "json";
        std::error_code failed;
        std::filesystem::create_directories(folder.member_folder(member.name), failed);
        if (failed) {
            return Error(Kind::unavailable,
                         "cannot make the folder " + folder.member_folder(member.name) + ": " + failed.message());
        }
    }
    return members;
}

} // namespace flotilla::cli
