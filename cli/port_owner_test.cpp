#include "cli/port_owner.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <flotilla/aio/loop.hpp>
#include <flotilla/aio/stream.hpp>

namespace flotilla::cli::port_owner_test {
namespace {

// Goal: who keeps a fleet from listening is found by port, on its own address or on all; a free port belongs to nobody.
TEST(PortOwner, ListenerIsNamed) {
    Loop loop;
    for (const char* host : {"127.0.0.1", "0.0.0.0", "::"}) {
        auto listener = loop.world().listen(Address::tcp(host, 0));
        if (!listener) continue; // a machine without IPv6
        const auto port = (*listener)->local().port;
        const auto owner = find_port_owner(port);
        ASSERT_TRUE(owner) << host;
        EXPECT_EQ(owner->pid, getpid());
        EXPECT_EQ(owner->name, "cli_test");
        (*listener)->close();
        EXPECT_FALSE(find_port_owner(port));
    }
}

// Goal: a port that is taken on another address than a fleet's is free for it.
TEST(PortOwner, OtherAddressesDoNotMatter) {
    Loop loop;
    for (const char* host : {"127.0.0.2", "::1"}) {
        auto listener = loop.world().listen(Address::tcp(host, 0));
        if (!listener) continue; // a machine without IPv6
        const int port = (*listener)->local().port;
        auto ours = loop.world().listen(Address::tcp("127.0.0.1", static_cast<std::uint16_t>(port)));
        ASSERT_TRUE(ours) << "or the port was taken meanwhile by somebody else";
        (*ours)->close();
        EXPECT_FALSE(find_port_owner(port)) << host;
    }
}

// Goal: every taken port of a fleet is told at once, with who wants it and who has it.
TEST(PortOwner, TakenPortsAreToldTogether) {
    Loop loop;
    auto listener = loop.world().listen(Address::tcp("127.0.0.1", 0));
    ASSERT_TRUE(listener);
    const int port = (*listener)->local().port;
    const PlannedMember hub{.name = "hub", .port = port, .other_ports = {{"bus", port}}, .command = {}};
    const auto free = check_ports_free({&hub});
    ASSERT_FALSE(free);
    const auto owner = std::to_string(port) + " is taken by cli_test (pid " + std::to_string(getpid()) + ")\n";
    EXPECT_EQ(free.error().message(),
              "hub: its HTTP port " + owner + "hub: its bus port " + owner +
                  "Stop what is there, or start this fleet on other ports with --port-offset N.");
    (*listener)->close();
    EXPECT_TRUE(check_ports_free({&hub}));
}

} // namespace
} // namespace flotilla::cli::port_owner_test
