#include <flotilla/store/transaction.hpp>

#include <flotilla/contract/version_conflict.hpp>

namespace flotilla {

void Transaction::fail(Error error) {
    if (!failure_) failure_ = std::move(error);
}

Result<std::int64_t> Transaction::run(std::string_view sql, std::span<const SqlValue> arguments,
                                      const RowCallback& row) {
    if (failure_) return *failure_;
    auto done = perform(sql, arguments, row);
    if (!done) failure_ = done.error();
    return done;
}

void Transaction::read(std::string_view sql, std::span<const SqlValue> arguments, const TypeDescriptor& type,
                       Rows rows) {
    if (failure_) return;
    auto done = perform(sql, arguments, [&](const SqlRow& row) -> Result<void> {
        void* into = rows.next(rows.into);
        if (into == nullptr) return Error(Kind::internal, "a query for one row gave several: " + std::string(sql));
        return decode_row(row, type, into);
    });
    if (!done) failure_ = std::move(done.error());
}

std::int64_t Transaction::change(std::string_view sql, std::span<const SqlValue> arguments) {
    if (failure_) return 0;
    auto done = perform(sql, arguments, nullptr);
    if (done) return *done;
    failure_ = std::move(done.error());
    return 0;
}

bool Transaction::change_row(std::string_view sql, std::span<const SqlValue> arguments, int version) {
    const auto changed = change(sql, arguments);
    if (changed == 0 && version >= 0) fail(version_conflict);
    return changed > 0;
}

void Transaction::expect(const ExpectedVersion& expected, std::int64_t found) {
    if (!expected.allows(found)) fail(precondition_failed.with(std::to_string(found)));
}

} // namespace flotilla
