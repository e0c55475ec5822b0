#include "cli/port_owner.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace flotilla::cli {
namespace {

/// Whether listening there would be refused. Only the system knows: a socket on [::] may or may not take IPv4 along.
bool is_taken(int port) {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return false; // whoever listens will tell
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Connections that have just ended keep nobody from listening.
    const bool taken = ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                       errno == EADDRINUSE;
    ::close(probe);
    return taken;
}

/// Whether a local address of /proc/net/tcp or tcp6 (in network order, by words of the machine) is 127.0.0.1, or stands
/// for it: all addresses, or the same as IPv6.
bool concerns_us(std::string_view address) {
    return address == "0100007F" || address == "00000000" || address == "00000000000000000000000000000000" ||
           address == "0000000000000000FFFF00000100007F";
}

/// The inodes of the sockets that listen on that port, from /proc/net/tcp or tcp6 (proc(5)).
void collect_listeners(const char* table, int port, std::set<std::string>& inodes) {
    constexpr std::string_view kListening = "0A";
    std::ifstream file(table);
    std::string line;
    std::getline(file, line); // the heading
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
        const auto colon = local.rfind(':');
        if (!fields || state != kListening || colon == std::string::npos) continue;
        if (std::strtol(local.c_str() + colon + 1, nullptr, 16) != port) continue;
        if (concerns_us(std::string_view(local).substr(0, colon))) inodes.insert(inode);
    }
}

std::string program_name(const std::string& process) {
    std::error_code hidden;
    const auto program = std::filesystem::read_symlink(process + "/exe", hidden);
    if (!hidden) return program.filename().string();
    std::ifstream file(process + "/comm");
    std::string name;
    std::getline(file, name);
    return name;
}

bool has_socket(const std::filesystem::path& process, const std::set<std::string>& inodes) {
    std::error_code hidden;
    for (const auto& entry : std::filesystem::directory_iterator(process / "fd", hidden)) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (!target.starts_with("socket:[")) continue;
        if (inodes.contains(target.substr(8, target.size() - 9))) return true;
    }
    return false;
}

} // namespace

std::optional<PortOwner> find_port_owner(int port) {
    if (!is_taken(port)) return std::nullopt;
    std::set<std::string> inodes;
    collect_listeners("/proc/net/tcp", port, inodes);
    collect_listeners("/proc/net/tcp6", port, inodes);
    if (inodes.empty()) return PortOwner{}; // a connection of somebody's, or gone meanwhile
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (!has_socket(entry.path(), inodes)) continue;
        return PortOwner{std::strtoll(name.c_str(), nullptr, 10), program_name(entry.path().string())};
    }
    return PortOwner{};
}

Result<void> check_ports_free(const std::vector<const PlannedMember*>& members) {
    std::string taken;
    for (const auto* member : members) {
        for (const auto& [role, port] : member->ports()) {
            const auto owner = find_port_owner(port);
            if (!owner) continue;
            taken += member->name + ": its " + role + " port " + std::to_string(port) + " is taken by ";
            taken += owner->pid ? owner->name + " (pid " + std::to_string(owner->pid) + ")"
                                : "a process that we may not look into";
            taken += '\n';
        }
    }
    if (taken.empty()) return {};
    return Error(Kind::unavailable,
                 taken + "Stop what is there, or start this fleet on other ports with --port-offset N.");
}

} // namespace flotilla::cli
