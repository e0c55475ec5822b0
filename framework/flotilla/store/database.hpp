#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/base/json.hpp>
#include <flotilla/observe/metrics.hpp>
#include <flotilla/store/changed.hpp>
#include <flotilla/store/idempotency.hpp>
#include <flotilla/store/migration.hpp>
#include <flotilla/store/table.hpp>
#include <flotilla/store/transaction.hpp>

namespace flotilla {

/// Ends a Database::on_signal subscription when destroyed.
struct SignalSubscription {
    virtual ~SignalSubscription() = default;
};

namespace detail {

/// What transact() answers with for a body that returns T.
template <class T>
struct BodyOutcome {
    using type = Result<T>;
};
template <class T>
struct BodyOutcome<Result<T>> {
    using type = Result<T>;
};

template <class R>
struct BodyOf;
template <class T>
struct RecordedBody;

} // namespace detail

/// A service's own database. Serialisable isolation; what transact() answered is durable.
/// One object per loop; objects of one process share the writer. Thread-safety: none beyond that.
class Database {
public:
    virtual ~Database() = default;

    /// Runs a plain function `Result<T>(Transaction&)` in a transaction and answers after the commit is durable; one
    /// that cannot refuse may return T, or nothing. An error rolls back this body only: the body's own, or the
    /// transaction's (see Transaction), which comes before whatever the body returns. The body may run twice and must
    /// not consume its captures; a deadline cancels it while queued, once it runs the caller waits for the outcome.
    /// Errors: the body's; a statement's; unavailable when the queue is full, the disk is full or the database has
    /// gone; the context's reason.
    template <class Body, class R = detail::BodyOutcome<std::invoke_result_t<const Body&, Transaction&>>::type>
    task<R> transact(Context& context, Body body);

    /// transact() for the method of an endpoint that is declared idempotent: what the body returns is the response. If
    /// the request came with an Idempotency-Key, the response is recorded in the same commit; if it was recorded
    /// meanwhile, the body does not run and the record is the response. A request's first transaction records.
    template <class Body, class R = detail::BodyOutcome<std::invoke_result_t<const Body&, Transaction&>>::type,
              class T = typename R::value_type>
    task<Result<Recorded<T>>> answer(Context& context, Body body);

    /// A point read by key (one row or none), on the loop, under a budget of work (a query that scans is refused with
    /// an internal error that says so). Sees every commit that was answered, by whichever process.
    template <class Row, class... Key>
    task<Result<std::optional<Row>>> find(Context& context, const Table<Row>& table, const Key&... key) {
        return find_one<Row>(context, table.find(), owned(key...));
    }
    template <class T, class... Arguments>
    task<Result<std::optional<T>>> find(Context& context, const Query<T, Arguments...>& query,
                                        const std::type_identity_t<Arguments>&... arguments) {
        return find_one<T>(context, query.sql(), owned(arguments...));
    }
    /// What no Query says. `sql` lives until the task has ended.
    template <class T, class... Arguments>
    task<Result<std::optional<T>>> find(Context& context, std::string_view sql, const Arguments&... arguments) {
        return find_one<T>(context, sql, owned(arguments...));
    }

    /// Any read, away from the loop. For lists and scans.
    template <class T, class... Arguments>
    task<Result<std::vector<T>>> select(Context& context, const Query<T, Arguments...>& query,
                                        const std::type_identity_t<Arguments>&... arguments) {
        return select_all<T>(context, query.sql(), owned(arguments...));
    }
    /// What no Query says. `sql` lives until the task has ended.
    template <class T, class... Arguments>
    task<Result<std::vector<T>>> select(Context& context, std::string_view sql, const Arguments&... arguments) {
        return select_all<T>(context, sql, owned(arguments...));
    }

    /// Whether the tables there are take these statements, and their rows come as declared. Errors: internal, by file
    /// and line of the first that does not fit.
    virtual task<Result<void>> check(Context& context, std::vector<DeclaredStatement> statements) = 0;

    /// Applies what is missing, in order, under a lock. `component` keeps versions apart ("service", "flotilla").
    /// Errors: internal when an applied migration's text has changed or one is missing, naming it.
    virtual task<Result<void>> migrate(Context& context, std::string_view component, Migrations migrations) = 0;

    /// Calls back on this object's loop after commits whose transaction gave that signal; also after those of other
    /// processes that share the database, which may have given another one. Returns a handle that stops it.
    virtual std::unique_ptr<SignalSubscription> on_signal(std::string_view name, std::function<void()> callback) = 0;

    /// ok, or why the database cannot serve now: unavailable while its disk takes nothing; database_damaged for good.
    /// For /readyz.
    virtual Result<void> health() const = 0;
    /// Whether all of it was looked through for damage when it was opened: a large one is not, so that it need not
    /// wait.
    virtual bool fully_checked() const = 0;
    /// Names this opening of the database by this process, for has_ended().
    virtual std::string_view session() const = 0;
    /// Whether the process whose session that was is known to have ended: what it left undone it does no more. Always
    /// so of another session where one process at a time can have the database open (a SQLite file that is not shared);
    /// false where nobody can tell.
    virtual bool has_ended(std::string_view session) const = 0;
    /// Transactions waiting for the writer.
    virtual std::size_t queued() const = 0;
    /// From now on counts in these, which must live longer: flotilla_database_queued, _bodies_per_commit,
    /// _commit_duration_seconds and _failed_commits_total. Objects that share a writer count once.
    virtual void report_to(Metrics& metrics) = 0;

protected:
    enum class ReadKind : unsigned char { point, scan };
    virtual task<Result<void>> transact_erased(Context& context, std::shared_ptr<TransactionBody> body) = 0;
    /// `sql` lives until the task has ended, `arguments` own their text; row is called on the loop (point) or away from
    /// it (scan). The row callback of a scan owns what it touches: a cancelled scan may still be running when its task
    /// has ended.
    virtual task<Result<void>> read_erased(Context& context, ReadKind kind, std::string_view sql,
                                           std::vector<SqlValue> arguments, RowCallback row) = 0;

private:
    // Coroutines are many times what a function costs the compiler: these are one per answer, not one per body.
    template <class R>
    task<R> answered(Context& context, std::shared_ptr<detail::BodyOf<R>> body);
    template <class T>
    task<Result<Recorded<T>>> recorded(Context& context, std::shared_ptr<detail::RecordedBody<T>> body,
                                       IdempotentRequest* request);

    template <class... Arguments>
    static std::vector<SqlValue> owned(const Arguments&... arguments) {
        std::vector<SqlValue> values;
        values.reserve(sizeof...(arguments));
        (values.push_back(SqlValue(arguments).owning()), ...);
        return values;
    }
    template <class T>
    task<Result<std::optional<T>>> find_one(Context& context, std::string_view sql, std::vector<SqlValue> arguments);
    template <class T>
    task<Result<std::vector<T>>> select_all(Context& context, std::string_view sql, std::vector<SqlValue> arguments);
};

/// Opens by URL: "sqlite:/path/to/file.db" (created when missing; parent folders too; see sqlite_url()),
/// "sqlite::memory:" for tests. Two processes (or two services of one process) on one file are refused: unavailable,
/// naming the file and its owner; only processes of one owner whose URLs all end in "?processes=several" share it, and
/// then signals of the others' commits come within 20 ms. Other errors: invalid (no such URL), unavailable,
/// database_damaged. `owner`: the service's name. Objects opened with the same URL and owner in one process share the
/// writer.
Result<std::unique_ptr<Database>> open_database(World& world, std::string_view url, std::string_view owner);

/// The URL of a database file: the path, with what a URL cannot hold as it is percent-encoded.
std::string sqlite_url(std::string_view path);

namespace detail {

/// What a body says: without a Result it has not refused.
template <class R, class Body>
R outcome_of(const Body& body, Transaction& transaction) {
    if constexpr (std::is_void_v<std::invoke_result_t<const Body&, Transaction&>>) {
        body(transaction);
        return {};
    } else {
        return body(transaction);
    }
}

/// A body that answers with R.
template <class R>
struct BodyOf : TransactionBody {
    using Answer = R;
    std::optional<R> answer;

    virtual R call(Transaction& transaction) = 0;
    Result<void> run(Transaction& transaction) override {
        answer.emplace(call(transaction));
        if (!answer->has_value()) return answer->error();
        return {};
    }
};

/// An answer as it goes into the record, and comes out of it.
struct RecordedForm {
    template <class T>
    static RecordedResponse of(const T& answer) {
        return {json::write(answer)};
    }
    template <class T>
    static RecordedResponse of(const Versioned<T>& answer) {
        return {json::write(answer.value), answer.version};
    }
    template <class T>
    static RecordedResponse of(const Changed<T>& answer) {
        return {json::write(answer.value()), answer.version()};
    }

    template <class T>
    struct Read {
        static Result<T> from(const RecordedResponse& record) { return json::parse<T>(record.json); }
    };
    template <class T>
    struct Read<Versioned<T>> {
        static Result<Versioned<T>> from(const RecordedResponse& record) {
            auto value = json::parse<T>(record.json);
            if (!value) return std::move(value.error());
            return Versioned<T>{std::move(*value), record.version.value_or(0)};
        }
    };
    template <class T>
    struct Read<Changed<T>> {
        static Result<Changed<T>> from(const RecordedResponse& record) {
            auto now = Read<Versioned<T>>::from(record);
            if (!now) return std::move(now.error());
            return Changed<T>(std::move(now->value), now->version);
        }
    };
};

/// A body whose answer is recorded for a request, if there is one.
template <class T>
struct RecordedBody : BodyOf<Result<T>> {
    std::optional<IdempotentRequest> request;
    std::string json; ///< the answer as it stands in the record

    Result<void> run(Transaction& transaction) final {
        if (!request) return BodyOf<Result<T>>::run(transaction);
        if (auto earlier = find_recorded_response(transaction, *request)) {
            this->answer.emplace(RecordedForm::Read<T>::from(*earlier));
            if (!this->answer->has_value()) return this->answer->error();
            json = std::move(earlier->json);
            return {};
        }
        if (transaction.failed()) return *transaction.failure();
        if (auto done = BodyOf<Result<T>>::run(transaction); !done) return done;
        auto record = RecordedForm::of(**this->answer);
        record_response(transaction, *request, record);
        json = std::move(record.json);
        return {};
    }
};

/// What each call of transact() and answer() brings with it.
template <class Base, class Body>
struct Called final : Base {
    explicit Called(Body&& given) : body(std::move(given)) {}

    Base::Answer call(Transaction& transaction) override {
        return outcome_of<typename Base::Answer>(body, transaction);
    }

    const Body body;
};

} // namespace detail

template <class Body, class R>
task<R> Database::transact(Context& context, Body body) {
    return answered<R>(context, std::make_shared<detail::Called<detail::BodyOf<R>, Body>>(std::move(body)));
}

template <class R>
task<R> Database::answered(Context& context, std::shared_ptr<detail::BodyOf<R>> body) {
    auto committed = co_await transact_erased(context, body);
    if (!committed) co_return std::move(committed.error());
    co_return std::move(*body->answer);
}

template <class Body, class R, class T>
task<Result<Recorded<T>>> Database::answer(Context& context, Body body) {
    auto called = std::make_shared<detail::Called<detail::RecordedBody<T>, Body>>(std::move(body));
    // Only the first transaction of a request records: what a later one does must be done, not be answered with the
    // first's.
    auto* request = context.carried<IdempotentRequest>();
    if (request && std::exchange(request->claimed, true)) request = nullptr;
    if (request) called->request = *request;
    return recorded<T>(context, std::move(called), request);
}

template <class T>
task<Result<Recorded<T>>> Database::recorded(Context& context, std::shared_ptr<detail::RecordedBody<T>> body,
                                             IdempotentRequest* request) {
    auto committed = co_await transact_erased(context, body);
    if (request) request->recorded = request->claimed = committed.has_value();
    if (!committed) co_return std::move(committed.error());
    co_return Recorded<T>(std::move(**body->answer), std::move(body->json));
}

template <class T>
task<Result<std::optional<T>>> Database::find_one(Context& context, std::string_view sql,
                                                  std::vector<SqlValue> arguments) {
    std::optional<T> found;
    bool several = false;
    auto done = co_await read_erased(context, ReadKind::point, sql, std::move(arguments),
                                     [&](const SqlRow& row) -> Result<void> {
                                         several = found.has_value();
                                         return decode_row(row, descriptor_of<T>, &found.emplace());
                                     });
    if (!done) co_return std::move(done.error());
    if (several) co_return Error(Kind::internal, "a query for one row gave several: " + std::string(sql));
    co_return std::move(found);
}

template <class T>
task<Result<std::vector<T>>> Database::select_all(Context& context, std::string_view sql,
                                                  std::vector<SqlValue> arguments) {
    auto rows = std::make_shared<std::vector<T>>();
    auto done = co_await read_erased(
        context, ReadKind::scan, sql, std::move(arguments),
        [rows](const SqlRow& row) -> Result<void> { return decode_row(row, descriptor_of<T>, &rows->emplace_back()); });
    if (!done) co_return std::move(done.error());
    co_return std::move(*rows);
}

} // namespace flotilla
