#include <flotilla/service/request/faults.hpp>

namespace flotilla {

task<Result<void>> Faults::strike(Context& context) const {
    if (slow_ms_ > 0) co_await must(sleep_for(context, std::chrono::milliseconds(slow_ms_)));
    const bool fails = static_cast<std::int64_t>(context.world().random() % 100) < fail_percent_;
    if (fails) co_return Error(Kind::internal, "injected_fault", "failed on purpose; ./flotilla chaos heal ends it");
    co_return Result<void>();
}

} // namespace flotilla
