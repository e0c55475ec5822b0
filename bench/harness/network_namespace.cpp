#include "bench/harness/network_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace flotilla::bench {
namespace {

/// A device that no program reads, and the routing table that leads there.
constexpr const char* kNowhere = "nowhere";
constexpr const char* kTable = "77";

void ip(const std::string& arguments) {
    const auto command = "ip " + arguments;
    if (std::system(command.c_str()) != 0) throw std::runtime_error(command + " failed");
}

} // namespace

bool NetworkNamespace::possible() {
    return ::geteuid() == 0 && std::system("ip -V >/dev/null 2>&1") == 0 && ::access("/dev/net/tun", R_OK) == 0;
}

NetworkNamespace::NetworkNamespace() : before_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (before_ < 0 || ::unshare(CLONE_NEWNET) != 0) {
        const int why = errno;
        if (before_ >= 0) ::close(before_);
        throw std::runtime_error(std::string("no network namespace: ") + std::strerror(why));
    }
    try {
        ip("link set lo up");
        ip(std::string("tuntap add dev ") + kNowhere + " mode tun");
        ip(std::string("link set ") + kNowhere + " up");
        // Addresses of this machine are looked up first of all: what is to be swallowed comes before.
        ip("rule add pref 1 lookup local");
        ip("rule del pref 0 lookup local");
    } catch (...) {
        ::setns(before_, CLONE_NEWNET);
        ::close(before_);
        throw;
    }
}

NetworkNamespace::~NetworkNamespace() {
    if (::setns(before_, CLONE_NEWNET) != 0) std::fprintf(stderr, "still in the network of a benchmark\n");
    ::close(before_);
}

void NetworkNamespace::add_address(const std::string& address) { ip("addr add " + address + "/32 dev lo"); }

void NetworkNamespace::swallow(const std::string& address) {
    ip("route add " + address + "/32 dev " + kNowhere + " table " + kTable);
    ip("rule add pref 0 to " + address + " lookup " + kTable);
}

} // namespace flotilla::bench
