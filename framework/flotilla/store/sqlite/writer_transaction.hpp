#pragma once

#include <flotilla/store/database.hpp>
#include <flotilla/store/sqlite/connection.hpp>
#include <flotilla/store/sqlite/writer.hpp>

namespace flotilla::sqlite {

/// What a body sees of the writer: one try of one request.
class WriterTransaction final : public Transaction {
public:
    WriterTransaction(Connection& connection, WriteRequest& request) : connection_(connection), request_(request) {}

    Timestamp now() const override { return request_.now; }
    const TraceContext& trace() const override { return request_.trace; }
    std::string new_id() override;
    void signal(std::string_view name) override;

private:
    Result<std::int64_t> perform(std::string_view sql, std::span<const SqlValue> arguments,
                                 const RowCallback& row) override {
        return connection_.run(sql, arguments, row);
    }

    Connection& connection_;
    WriteRequest& request_;
};

} // namespace flotilla::sqlite
