#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <flotilla/aio/trace_context.hpp>
#include <flotilla/base/time.hpp>
#include <flotilla/store/changed.hpp>
#include <flotilla/store/statements.hpp>
#include <flotilla/store/table.hpp>

namespace flotilla {

/// What a transaction body works with. A statement that fails ends the transaction: its error stays here, the
/// statements after it do nothing and answer with nothing (no row, no rows, 0, false), and whatever the body returns,
/// the outcome of transact() is that error. So nothing is checked behind a statement; a body asks failed() only before
/// work that it would do in vain. What may be expected to collide is asked with try_insert(): on PostgreSQL, too, an
/// error ends the transaction. Errors: as statements' (see Statements), and `version_conflict`. Lives on the database's
/// writer thread: bodies do no network I/O and touch nothing but this and their captures.
class Transaction : public Statements {
public:
    /// The row with that key, or none.
    template <class Row, class... Key>
    std::optional<Row> find(const Table<Row>& table, const Key&... key) {
        return one<Row>(table.find(), values(key...));
    }
    /// The only row, or none. More than one is an internal error.
    template <class T, class... Arguments>
    std::optional<T> find(const Query<T, Arguments...>& query, const std::type_identity_t<Arguments>&... arguments) {
        return one<T>(query.sql(), values(arguments...));
    }
    /// All rows, in order.
    template <class T, class... Arguments>
    std::vector<T> select(const Query<T, Arguments...>& query, const std::type_identity_t<Arguments>&... arguments) {
        std::vector<T> rows;
        read(query.sql(), values(arguments...), descriptor_of<T>,
             {&rows, [](void* into) -> void* { return &static_cast<std::vector<T>*>(into)->emplace_back(); }});
        if (failed()) rows.clear();
        return rows;
    }

    template <class Row>
    void insert(const Table<Row>& table, const Row& row) {
        change(table.insert(), fields(row));
    }
    /// Whether it is in; false, and nothing has changed, when a row has the same key or another unique value of it.
    template <class Row>
    [[nodiscard]] bool try_insert(const Table<Row>& table, const Row& row) {
        return change(table.try_insert(), fields(row)) > 0;
    }
    /// Stores all fields of the row with its key; whether there is one. In a table with a version the row's own is the
    /// one expected, as below.
    template <class Row>
    bool update(const Table<Row>& table, const Row& row) {
        return change_row(table.update(), fields(row), table.version());
    }
    /// The same if nobody has changed the row since its version was `expected`: returns the version it has now. Errors:
    /// conflict `version_conflict` when it has another one by now, or is not there. Requires: the table has a version.
    template <class Row>
    std::int64_t update(const Table<Row>& table, const Row& row, std::int64_t expected) {
        auto arguments = fields(row);
        if (table.version() < 0)
            fail(Error(Kind::internal, "a table without a version: " + std::string(table.update())));
        else
            arguments[static_cast<std::size_t>(table.version())] = SqlValue(expected);
        change_row(table.update(), arguments, table.version());
        return expected + 1;
    }
    /// Changes a versioned resource by the row that was read in this transaction, if the caller expects the version
    /// that it has: update(), and the resource as it is then. Errors: `precondition_failed`, and update()'s.
    template <class T>
    Changed<T> change(const Table<Versioned<T>>& table, Versioned<T> row, const ExpectedVersion& expected) {
        expect(expected, row.version);
        update(table, row);
        return {std::move(row.value), row.version + 1};
    }
    /// What change() answers where other statements changed the resource, or none needed to: `found` is the version
    /// that it had, `now` the resource as it is then. Errors: `precondition_failed`.
    template <class T>
    Changed<T> changed(const ExpectedVersion& expected, std::int64_t found, Versioned<T> now) {
        expect(expected, found);
        return {std::move(now.value), now.version};
    }
    /// The same where the resource has gone.
    Changed<Empty> removed(const ExpectedVersion& expected, std::int64_t found) {
        expect(expected, found);
        return {Empty{}, 0};
    }

    /// Whether there was a row with that key.
    template <class Row, class... Key>
    bool remove(const Table<Row>& table, const Key&... key) {
        return change(table.remove(), values(key...)) > 0;
    }
    /// Returns how many rows it changed.
    template <class... Arguments>
    std::int64_t execute(const Statement<Arguments...>& statement,
                         const std::type_identity_t<Arguments>&... arguments) {
        return change(statement.sql(), values(arguments...));
    }

    // What no Table, Query or Statement says: SQL as text. Its errors stay here as well, whoever looks at them.
    using Statements::execute;
    using Statements::select;
    template <class T, class... Arguments>
    Result<std::optional<T>> find(std::string_view sql, const Arguments&... arguments) {
        auto found = Statements::find<T>(sql, arguments...);
        if (!found) fail(found.error()); // several rows are no error of the statement's
        return found;
    }
    Result<std::int64_t> run(std::string_view sql, std::span<const SqlValue> arguments, const RowCallback& row) final;

    /// Ends the transaction with that error, unless another one has.
    void fail(Error error);
    bool failed() const { return failure_.has_value(); }
    const std::optional<Error>& failure() const { return failure_; }
    /// Puts an error that says more in the place of the failure. Requires: failed().
    void explain(Error error) { failure_ = std::move(error); }

    /// The caller's wall clock and trace when it asked for this transaction, and fresh UUIDv7 ids.
    virtual Timestamp now() const = 0;
    virtual const TraceContext& trace() const = 0;
    virtual std::string new_id() = 0;

    /// Wakes Database::on_signal listeners of that name after the commit, once per commit.
    virtual void signal(std::string_view name) = 0;

private:
    /// Where rows go: `next` gives the place of one more, or null when there may be no more.
    struct Rows {
        void* into;
        void* (*next)(void* into);
    };

    /// A statement of the driver. Its errors end the transaction; drivers answer with failure() then, also when the
    /// body threw.
    virtual Result<std::int64_t> perform(std::string_view sql, std::span<const SqlValue> arguments,
                                         const RowCallback& row) = 0;

    void read(std::string_view sql, std::span<const SqlValue> arguments, const TypeDescriptor& type, Rows rows);
    std::int64_t change(std::string_view sql, std::span<const SqlValue> arguments);
    bool change_row(std::string_view sql, std::span<const SqlValue> arguments, int version);
    void expect(const ExpectedVersion& expected, std::int64_t found);

    template <class... Arguments>
    static std::array<SqlValue, sizeof...(Arguments)> values(const Arguments&... arguments) {
        return {SqlValue(arguments)...};
    }
    template <class Row>
    static std::array<SqlValue, descriptor_of<Row>.fields.size()> fields(const Row& row) {
        std::array<SqlValue, descriptor_of<Row>.fields.size()> arguments;
        arguments_of(descriptor_of<Row>, &row, arguments);
        return arguments;
    }
    template <class T>
    std::optional<T> one(std::string_view sql, std::span<const SqlValue> arguments) {
        std::optional<T> found;
        read(sql, arguments, descriptor_of<T>, {&found, [](void* into) -> void* {
                                                    auto& place = *static_cast<std::optional<T>*>(into);
                                                    return place ? nullptr : &place.emplace();
                                                }});
        if (failed()) found.reset();
        return found;
    }

    std::optional<Error> failure_;
};

/// A transaction's body as a driver holds it: shared with the writer's thread, which may still run it when the caller's
/// frame has gone.
class TransactionBody {
public:
    virtual ~TransactionBody() = default;
    /// Runs the body and keeps what it answered. Errors: the body's.
    virtual Result<void> run(Transaction& transaction) = 0;
};

} // namespace flotilla
