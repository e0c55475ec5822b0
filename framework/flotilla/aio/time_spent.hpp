#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include <flotilla/aio/context.hpp>

namespace flotilla {

/// Where the time of one request goes: how long it waited for what. Lives in the frame of whoever handles the request
/// and hangs on its Context (Context::time_spent), where those who wait find it.
///
/// Intervals of one kind that overlap count once, so that no kind exceeds the request's duration, however many calls
/// run in parallel. Kinds may overlap each other (a call while the database works). rest() is when the request waited
/// for none of them, so that on(every kind) + rest() = duration. `database` and `offload` divide into parts, which may
/// overlap as well; then every other kind + every part + rest() = duration + overlap().
///
/// It uses the world's cached clock, read anew only before work for other threads and behind it: no allocation, no
/// atomics, no system call. An interval ends when the loop gets to it: what comes in while the loop is busy counts as
/// waited for. Thread-safety: none; lives on its loop.
class TimeSpent {
public:
    enum class On : unsigned char {
        request_body,  ///< the client's, where it did not come with the head
        answer,        ///< until the client had taken what is sent
        calls,         ///< of other services, from the choice of an instance to the whole answer
        database,      ///< transactions; divided into parts
        offload,       ///< blocking work; divided into parts
        connection,    ///< gateway: an instance, a connection of the pool or a new one
        upstream,      ///< gateway: from sending the request to the head of the answer
        upstream_body, ///< gateway: further pieces of the answer
    };
    static constexpr std::size_t kKinds = 8;

    /// What intervals of `database` and `offload` are made of, as the other thread measured it. Intervals of one part
    /// that overlap count once. (Of three or more that overlap and end in another order than they began in, gaps
    /// between the shorter ones may be missing; nothing ever counts twice.)
    enum class Part : unsigned char {
        database_queue,  ///< until the writer took it up
        database_body,   ///< the transaction bodies that share the commit
        database_commit, ///< making it durable
        database_return, ///< done, until the loop got to it
        offload_queue,   ///< until a thread was free
        offload_run,     ///< the work itself
        offload_return,  ///< done, until the loop got to it
    };
    static constexpr std::size_t kParts = 7;

    class Interval;
    class Attachment;

    explicit TimeSpent(World& world) : world_(world) {}
    TimeSpent(const TimeSpent&) = delete;
    TimeSpent& operator=(const TimeSpent&) = delete;

    /// Of intervals that have ended.
    Duration on(On kind) const { return kinds_[index(kind)].total; }
    Duration part(Part part) const { return parts_[static_cast<std::size_t>(part)].total; }
    /// Own code, waits of no kind (a sleep, a lock) and a loop that was busy elsewhere.
    Duration rest(Duration whole) const { return whole - waited_.total; }
    /// How much longer all that is listed is together than the time in which any of it was waited for.
    Duration overlap() const;

    /// Notes an outgoing call that has ended; `name`: in pieces, copied if it is the slowest so far.
    void note_call(Duration took, std::initializer_list<std::string_view> name) {
        if (calls_++ == 0 || took > slowest_) note_slowest(took, name);
    }
    unsigned call_count() const { return calls_; }
    Duration slowest_call() const { return slowest_; }

    /// Notes that the request is meant to last, as a stream of events is: that it takes long says nothing.
    void expect_to_last() { lasts_ = true; }
    bool lasts() const { return lasts_; }
    std::string_view slowest_call_name() const { return {name_.data(), name_size_}; }

private:
    struct Span {
        Duration total{};
        Instant since{};
        unsigned open = 0;

        void begin(Instant now) {
            if (open++ == 0) since = now;
        }
        void end(Instant now) {
            if (--open == 0) total += now - since;
        }
    };
    struct Counted {
        Duration total{};
        Instant span{};     ///< began when the intervals of the kind that overlap with these did
        Duration in_span{}; ///< counted since
        Instant first{}, until{};
    };

    /// Own code comes before calls, transactions and offloaded work, and what another thread measures needs to fit; the
    /// other kinds follow something that has just been waited for.
    Instant begin_of(On kind) const {
        if (kind == On::database || kind == On::offload) return world_.refresh();
        return kind == On::calls ? world_.catch_up() : world_.monotonic();
    }
    void note_slowest(Duration took, std::initializer_list<std::string_view> name);
    static std::size_t index(On kind) { return static_cast<std::size_t>(kind); }
    /// Counts a part of an open interval, from `from` for so long, but not past `now`. Returns its end.
    Instant count(On kind, Part part, Instant from, Duration lasted, Instant now);

    World& world_;
    std::array<Span, kKinds> kinds_{};
    std::array<Counted, kParts> parts_{};
    Span waited_{}; ///< for anything
    unsigned calls_ = 0;
    Duration slowest_{};
    bool lasts_ = false;
    std::uint8_t name_size_ = 0;
    std::array<char, 96> name_; // not cleared: name_size_ says how much counts
};

/// Waiting for something, from its construction to its end. Costs nothing on a context without account.
class TimeSpent::Interval {
public:
    Interval(const Context& context, On kind) : spent_(context.time_spent), kind_(kind) {
        if (spent_ == nullptr) return;
        begin_ = spent_->begin_of(kind);
        spent_->kinds_[index(kind)].begin(begin_);
        spent_->waited_.begin(begin_);
    }
    Interval(const Interval&) = delete;
    Interval& operator=(const Interval&) = delete;
    ~Interval() { end(); }
    void end() {
        if (spent_ == nullptr) return;
        const Instant now = spent_->world_.monotonic();
        if (!divided_ && (kind_ == On::database || kind_ == On::offload)) divide(Duration::max(), {}, {});
        spent_->kinds_[index(kind_)].end(now);
        spent_->waited_.end(now);
        spent_ = nullptr;
    }

    /// Whether anybody wants to know.
    bool counts() const { return spent_ != nullptr; }

    /// How an interval of `database` or `offload`, which is about to end, divides, as another thread measured it;
    /// `commit` for the database only. Without it all of it was queueing.
    void divide(Duration queued, Duration worked, Duration commit);
    /// As TimeSpent::note_call, with the time since the beginning.
    void note_call(std::initializer_list<std::string_view> name) {
        if (spent_ != nullptr) spent_->note_call(spent_->world_.monotonic() - begin_, name);
    }

private:
    TimeSpent* spent_;
    On kind_;
    bool divided_ = false;
    Instant begin_{};
};

/// Hangs an account on a context.
class TimeSpent::Attachment {
public:
    /// `spent` may be null: nothing is accounted for.
    Attachment(Context& context, TimeSpent* spent) : context_(context) { context_.time_spent = spent; }
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
    ~Attachment() { context_.time_spent = nullptr; }

private:
    Context& context_;
};

} // namespace flotilla
