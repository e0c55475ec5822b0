#include <flotilla/observe/slow_requests.hpp>

#include <cmath>
#include <vector>

namespace flotilla {
namespace {

using On = TimeSpent::On;
using Part = TimeSpent::Part;

/// The fields of one line.
class Fields {
public:
    explicit Fields(std::span<const LogField> given) : fields_(given.begin(), given.end()) {}
    template <class Value>
    void add(std::string_view key, Value value) {
        fields_.emplace_back(key, value);
    }
    /// What took no time is not worth reading.
    void add_time(std::string_view key, Duration time) {
        if (time >= std::chrono::microseconds(1)) add(key, log_ms(time));
    }
    std::span<const LogField> all() const { return fields_; }

private:
    std::vector<LogField> fields_;
};

void add_times(Fields& fields, Duration taken, const TimeSpent& spent) {
    fields.add("own_ms", log_ms(spent.rest(taken)));
    fields.add_time("request_body_ms", spent.on(On::request_body));
    fields.add_time("connection_ms", spent.on(On::connection));
    fields.add_time("upstream_ms", spent.on(On::upstream));
    fields.add_time("upstream_body_ms", spent.on(On::upstream_body));
    fields.add_time("calls_ms", spent.on(On::calls));
    fields.add_time("database_queue_ms", spent.part(Part::database_queue));
    fields.add_time("database_body_ms", spent.part(Part::database_body));
    fields.add_time("database_commit_ms", spent.part(Part::database_commit));
    fields.add_time("offload_queue_ms", spent.part(Part::offload_queue));
    fields.add_time("offload_run_ms", spent.part(Part::offload_run));
    fields.add_time("loop_ms", spent.part(Part::database_return) + spent.part(Part::offload_return));
    fields.add_time("answer_ms", spent.on(On::answer));
    fields.add_time("overlap_ms", spent.overlap());
}

/// What the request had to do in time, at its begin and at its end; less than nothing: it took longer.
void add_budget(Fields& fields, const Context& context, Duration taken) {
    if (context.deadline().is_never()) return;
    const Duration left = context.deadline().at - context.world().monotonic();
    fields.add("budget_ms", log_ms(left + taken));
    fields.add("budget_left_ms", log_ms(left));
}

} // namespace

double log_ms(Duration duration) {
    return std::round(std::chrono::duration<double, std::micro>(duration).count()) / 1000;
}

SlowRequests::SlowRequests(World& world, Telemetry& telemetry, Duration threshold)
    : world_(world), log_(telemetry.log), threshold_(threshold),
      total_(
          telemetry.metrics.counter("flotilla_slow_requests_total", "Requests that took longer than is tolerated.")) {}

bool SlowRequests::may_write() {
    const Instant now = world_.monotonic();
    if (now - second_began_ >= std::chrono::seconds(1)) {
        second_began_ = now;
        written_ = 0;
    }
    if (written_ == kLinesPerSecond) return false;
    ++written_;
    return true;
}

bool SlowRequests::note(const Context& context, Duration taken, const TimeSpent& spent,
                        std::span<const LogField> given) {
    total_.add();
    if (!may_write()) {
        ++suppressed_;
        return false;
    }
    if (!log_.enabled(LogLevel::warning)) return true;
    Fields fields(given);
    add_budget(fields, context, taken);
    add_times(fields, taken, spent);
    if (spent.call_count() > 0) {
        fields.add("calls", spent.call_count());
        fields.add("slowest_call", spent.slowest_call_name());
        fields.add("slowest_call_ms", log_ms(spent.slowest_call()));
    }
    if (suppressed_ > 0) fields.add("suppressed", std::exchange(suppressed_, 0));
    log_.write(LogLevel::warning, &context.trace, "slow request", fields.all());
    return true;
}

} // namespace flotilla
