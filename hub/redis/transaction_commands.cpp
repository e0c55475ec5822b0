#include "hub/redis/commands.hpp"

namespace flotilla::hub::commands {

void multi(Call& call) {
    if (call.session.transaction.open) return call.reply.error("ERR MULTI calls can not be nested");
    call.session.transaction.open = true;
    call.reply.ok();
}

void discard(Call& call) {
    if (!call.session.transaction.open) return call.reply.error("ERR DISCARD without MULTI");
    call.engine.discard_transaction(call.session);
    call.reply.ok();
}

void exec(Call& call) {
    const auto& transaction = call.session.transaction;
    if (!transaction.open) return call.reply.error("ERR EXEC without MULTI");
    if (transaction.refused) {
        call.engine.discard_transaction(call.session);
        return call.reply.error("EXECABORT Transaction discarded because of previous errors.");
    }
    if (transaction.stale) {
        call.engine.discard_transaction(call.session);
        return call.reply.null_array();
    }
    call.engine.run_transaction(call.session, call.now_ms);
}

void watch(Call& call) {
    if (call.session.transaction.open) return call.reply.error("ERR WATCH inside MULTI is not allowed");
    if (!call.engine.watch(call.session, call.arguments.subspan(1))) return call.reply.error(kOutOfMemory);
    call.reply.ok();
}

void unwatch(Call& call) {
    call.engine.unwatch(call.session);
    call.reply.ok();
}

} // namespace flotilla::hub::commands
