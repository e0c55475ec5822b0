#include <unistd.h>

#include "hub/redis/commands.hpp"

namespace flotilla::hub::commands {

namespace {

using Section = std::string (*)(Call&);

std::string line(std::string_view name, std::uint64_t value) {
    return std::string(name) + ":" + std::to_string(value) + "\r\n";
}

std::string server_section(Call& call) {
    const auto uptime = static_cast<std::uint64_t>(call.now_ms - call.engine.started_ms()) / 1000;
    return "# Server\r\nredis_version:" + std::string(kRedisVersion) +
           "\r\nserver_name:flotilla-hub\r\nredis_mode:standalone\r\n" + line("arch_bits", 64) +
           line("process_id", static_cast<std::uint64_t>(::getpid())) + line("uptime_in_seconds", uptime);
}

std::string clients_section(Call& call) {
    return "# Clients\r\n" + line("connected_clients", call.engine.sessions().size()) +
           line("blocked_clients", call.engine.blocked_sessions());
}

std::string memory_section(Call& call) {
    return "# Memory\r\n" + line("used_memory", call.keyspace().used_bytes()) +
           line("maxmemory", call.keyspace().limits().memory_bytes_max) + "maxmemory_policy:noeviction\r\n";
}

std::string persistence_section(Call& call) {
    const Saving& saving = call.engine.saving();
    return "# Persistence\r\nloading:0\r\n" + line("rdb_bgsave_in_progress", saving.wanted ? 1 : 0) +
           line("rdb_last_save_time", static_cast<std::uint64_t>(saving.last_ms) / 1000) +
           "rdb_last_bgsave_status:" + (saving.failed ? "err" : "ok") +
           "\r\naof_enabled:1\r\naof_last_write_status:ok\r\n";
}

std::string stats_section(Call& call) {
    return "# Stats\r\n" + line("total_commands_processed", call.engine.commands_executed()) +
           line("pubsub_channels", call.engine.pubsub().channels().size()) +
           line("pubsub_patterns", call.engine.pubsub().patterns().size());
}

std::string replication_section(Call&) { return "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"; }

std::string keyspace_section(Call& call) {
    const auto& keys = call.keyspace().keys();
    if (keys.empty()) return "# Keyspace\r\n";
    const auto expiring = std::ranges::count_if(keys, [](const auto& each) { return each.second.expires_ms != 0; });
    return "# Keyspace\r\ndb0:keys=" + std::to_string(keys.size()) + ",expires=" + std::to_string(expiring) +
           ",avg_ttl=0\r\n";
}

struct NamedSection {
    std::string_view name;
    Section write;
};
constexpr NamedSection kSections[] = {
    {"SERVER", server_section},           {"CLIENTS", clients_section}, {"MEMORY", memory_section},
    {"PERSISTENCE", persistence_section}, {"STATS", stats_section},     {"REPLICATION", replication_section},
    {"KEYSPACE", keyspace_section},
};

bool wanted(const Call& call, std::string_view section) {
    if (call.size() == 1) return true;
    for (std::size_t at = 1; at < call.size(); ++at) {
        for (const std::string_view name :
             {section, std::string_view("ALL"), std::string_view("DEFAULT"), std::string_view("EVERYTHING")}) {
            if (call.is(at, name)) return true;
        }
    }
    return false;
}

} // namespace

void info(Call& call) {
    std::string text;
    for (const NamedSection& section : kSections) {
        if (!wanted(call, section.name)) continue;
        if (!text.empty()) text += "\r\n";
        text += section.write(call);
    }
    call.reply.verbatim(text);
}

void dbsize(Call& call) { call.reply.integer(static_cast<std::int64_t>(call.keyspace().keys().size())); }

/// The copy is the journal's, beside it, as Redis leaves its dump in its folder.
void bgsave(Call& call) {
    if (call.size() > 2 || (call.size() == 2 && !call.is(1, "SCHEDULE"))) return call.syntax_error();
    if (call.engine.saving().wanted) return call.reply.error("ERR Background save already in progress");
    call.engine.saving().wanted = true;
    call.reply.simple("Background saving started");
}

void lastsave(Call& call) { call.reply.integer(call.engine.saving().last_ms / 1000); }

void time(Call& call) {
    call.reply.array(2);
    call.reply.bulk(std::to_string(call.now_ms / 1000));
    call.reply.bulk(std::to_string(call.now_ms % 1000 * 1000));
}

/// One stray FLUSHALL would drop every event that services still rely on.
void flush_refused(Call& call) {
    call.reply.error("NOPERM " + std::string(call.command.name) +
                     " is refused here: acknowledged events would be lost. DEL the keys you mean.");
}

void help(Call& call) {
    const Command* container = find_command(command_table(), call[0]);
    std::string name(container->name);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    call.reply.array(container->subcommands.size() + 1);
    call.reply.simple(name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    for (const Command& subcommand : container->subcommands) {
        std::string shown(subcommand.name);
        std::ranges::transform(shown, shown.begin(),
                               [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
        call.reply.simple(shown);
    }
}

// ---- COMMAND ----

namespace {

std::vector<std::string_view> flag_names(const Command& command) {
    std::vector<std::string_view> names;
    if (command.flags & Command::kWrite) names.push_back("write");
    if (command.flags & Command::kRead) names.push_back("readonly");
    if (command.flags & Command::kDenyOom) names.push_back("denyoom");
    if (command.flags & Command::kPubSub) names.push_back("pubsub");
    if (command.flags & Command::kBlocking) names.push_back("blocking");
    if (command.flags & Command::kFast) names.push_back("fast");
    return names;
}

/// Ten elements as in Redis 7; categories, tips and key specifications are left empty.
void describe(Call& call, const Command& command) {
    call.reply.array(10);
    call.reply.bulk(command.full_name.empty() ? command.name : command.full_name);
    call.reply.integer(command.arity);
    const auto flags = flag_names(command);
    call.reply.array(flags.size());
    for (const std::string_view flag : flags)
        call.reply.simple(flag);
    call.reply.integer(command.first_key);
    call.reply.integer(command.last_key);
    call.reply.integer(command.key_step);
    call.reply.array(0);
    call.reply.array(0);
    call.reply.array(0);
    call.reply.array(command.subcommands.size());
    for (const Command& subcommand : command.subcommands)
        describe(call, subcommand);
}

void describe_all(Call& call) {
    call.reply.array(command_table().size());
    for (const Command& each : command_table())
        describe(call, each);
}

} // namespace

void command(Call& call) { describe_all(call); }
void command_count(Call& call) { call.reply.integer(static_cast<std::int64_t>(command_table().size())); }
void command_docs(Call& call) { call.reply.map(0); }

void command_info(Call& call) {
    if (call.size() == 2) return describe_all(call);
    call.reply.array(call.size() - 2);
    for (const std::string_view name : call.arguments.subspan(2)) {
        if (const Command* found = find_command(command_table(), name)) {
            describe(call, *found);
        } else {
            call.reply.null_array();
        }
    }
}

void command_list(Call& call) {
    if (call.size() > 2) return call.syntax_error();
    call.reply.array(command_table().size());
    for (const Command& each : command_table())
        call.reply.bulk(each.name);
}

} // namespace flotilla::hub::commands
