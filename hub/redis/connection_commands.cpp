#include "hub/redis/commands.hpp"

namespace flotilla::hub::commands {

void ping(Call& call) {
    if (call.size() > 2) return call.arity_error();
    const std::string_view text = call.size() == 2 ? call[1] : "";
    if (call.session.protocol == 2 && call.session.subscriptions() > 0) {
        call.reply.array(2);
        call.reply.bulk("pong");
        return call.reply.bulk(text);
    }
    if (call.size() == 1) return call.reply.simple("PONG");
    call.reply.bulk(text);
}

void echo(Call& call) { call.reply.bulk(call[1]); }

void quit(Call& call) {
    call.reply.ok();
    call.session.close_after_reply = true;
}

void reset(Call& call) {
    call.engine.pubsub().forget(call.session);
    call.engine.discard_transaction(call.session);
    call.session.protocol = 2;
    call.session.name.clear();
    call.reply.simple("RESET");
}

void select(Call& call) {
    const auto index = call.integer(1);
    if (!index) return;
    if (*index != 0) return call.reply.error("ERR DB index is out of range"); // there is one
    call.reply.ok();
}

namespace {

// There are no passwords: the hub listens on this machine only. As in a Redis without any, the default user needs none.
bool authenticate(Call& call, std::string_view user) {
    if (user == "default") return true;
    call.reply.error("WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

bool set_name(Call& call, std::string_view name) {
    const bool printable = std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
    if (!printable) {
        call.reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    if (!call.name_fits(name)) return false;
    call.session.name = name;
    return true;
}

} // namespace

void auth(Call& call) {
    if (call.size() > 3) return call.syntax_error();
    if (call.size() == 2) {
        return call.reply.error(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure "
            "your configuration is correct?");
    }
    if (authenticate(call, call[1])) call.reply.ok();
}

void hello(Call& call) {
    int protocol = call.session.protocol;
    if (call.size() > 1) {
        const auto version = call.integer(1, "Protocol version is not an integer or out of range");
        if (!version) return;
        if (*version < 2 || *version > 3) return call.reply.error("NOPROTO unsupported protocol version");
        protocol = static_cast<int>(*version);
    }
    for (std::size_t at = 2; at < call.size(); ++at) {
        if (call.is(at, "AUTH") && call.after(at) >= 2) {
            if (!authenticate(call, call[at + 1])) return;
            at += 2;
        } else if (call.is(at, "SETNAME") && call.after(at) >= 1) {
            if (!set_name(call, call[++at])) return;
        } else {
            return call.reply.error("ERR Syntax error in HELLO option '" + std::string(call[at]) + "'");
        }
    }
    call.session.protocol = protocol;
    Reply reply(call.session.output, protocol);
    reply.map(7);
    reply.bulk("server");
    reply.bulk("redis");
    reply.bulk("version");
    reply.bulk(kRedisVersion);
    reply.bulk("proto");
    reply.integer(protocol);
    reply.bulk("id");
    reply.integer(static_cast<std::int64_t>(call.session.id));
    reply.bulk("mode");
    reply.bulk("standalone");
    reply.bulk("role");
    reply.bulk("master");
    reply.bulk("modules");
    reply.array(0);
}

// ---- CLIENT ----

void client_id(Call& call) { call.reply.integer(static_cast<std::int64_t>(call.session.id)); }

void client_getname(Call& call) {
    if (call.session.name.empty()) return call.reply.null();
    call.reply.bulk(call.session.name);
}

void client_setname(Call& call) {
    if (set_name(call, call[2])) call.reply.ok();
}

void client_setinfo(Call& call) {
    const bool name = call.is(2, "LIB-NAME");
    if (!name && !call.is(2, "LIB-VER"))
        return call.reply.error("ERR Unrecognized option '" + std::string(call[2]) + "'");
    if (!call.name_fits(call[3])) return;
    (name ? call.session.library_name : call.session.library_version) = call[3];
    call.reply.ok();
}

namespace {

std::string describe(const Session& session, std::int64_t now_ms) {
    std::string line = "id=" + std::to_string(session.id) + " addr=" + session.peer + " name=" + session.name;
    line += " age=" + std::to_string((now_ms - session.connected_ms) / 1000);
    const auto& transaction = session.transaction;
    const char* flags = session.blocked ? "b" : session.subscriptions() > 0 ? "P" : transaction.open ? "x" : "N";
    line += std::string(" flags=") + flags + " db=0";
    line += " sub=" + std::to_string(session.channels.size()) + " psub=" + std::to_string(session.patterns.size());
    line += " multi=" + (transaction.open ? std::to_string(transaction.commands.size()) : "-1");
    line += " omem=" + std::to_string(session.unsent_bytes) + " user=default resp=" + std::to_string(session.protocol);
    line += " lib-name=" + session.library_name + " lib-ver=" + session.library_version + "\n";
    return line;
}

} // namespace

void client_info(Call& call) { call.reply.verbatim(describe(call.session, call.now_ms)); }

void client_list(Call& call) {
    if (call.size() > 2) return call.syntax_error();
    std::string text;
    for (const auto& [id, session] : call.engine.sessions())
        text += describe(*session, call.now_ms);
    call.reply.verbatim(text);
}

} // namespace flotilla::hub::commands
