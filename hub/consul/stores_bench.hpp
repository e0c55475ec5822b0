#pragma once

// What tests of endpoints share that need neither a server nor a disk: stores, and requests to them.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "hub/consul/request.hpp"
#include "hub/consul/rows.hpp"

namespace flotilla::hub::consul {

class StoresBench {
public:
    StoresBench() { stores.node.id = "0190a000-0000-7000-8000-000000000001"; }

    ConsulReply call(Method method, std::string_view target, std::string body = {}) {
        ConsulRequest request;
        request.method = method;
        const auto query = target.find('?');
        if (query != std::string_view::npos) request.parameters = http::parse_query(target.substr(query + 1)).value();
        request.body = std::move(body);
        request.now = now;
        request.fresh_id = "00000000-0000-7000-8000-" + std::to_string(100'000'000'000 + ++sessions_);
        auto refused = prepare(request, target.substr(0, query));
        return refused ? std::move(*refused) : answer(stores, request);
    }
    ConsulReply get(std::string_view target) { return call(Method::get, target); }
    ConsulReply put(std::string_view target, std::string body = {}) {
        return call(Method::put, target, std::move(body));
    }
    /// The answer to a GET, which has to be JSON.
    boost::json::value json(std::string_view target) {
        const auto reply = get(target);
        boost::json::error_code failed;
        auto value = boost::json::parse(reply.body, failed);
        if (failed) ADD_FAILURE() << target << ": " << reply.status << " " << reply.body;
        return value;
    }

    /// The stores as a restart would find them, everything being on disk.
    void restart() {
        std::vector<StoredRow> rows;
        for (auto& row : rows_of(stores, stores.changes.changed)) {
            if (row.document) rows.push_back({row.kind, row.id, std::move(*row.document)});
        }
        std::destroy_at(&stores);
        std::construct_at(&stores);
        ASSERT_TRUE(restore(stores, rows, now));
    }

    Stores stores;
    Instant now = Instant() + std::chrono::hours(1);

private:
    std::uint64_t sessions_ = 0;
};

} // namespace flotilla::hub::consul
