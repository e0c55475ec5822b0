#include <flotilla/aio/stream.hpp>

#include <utility>

namespace flotilla {

void IoOperation::attach(IoOperation*& slot) {
    slot_ = &slot;
    slot = this;
}

void IoOperation::detach() {
    if (slot_ != nullptr) *std::exchange(slot_, nullptr) = nullptr;
}

void IoOperation::complete(std::optional<Error> error, std::size_t bytes) {
    detach();
    hook_.unlink();
    wakeup_.cancel();
    error_ = std::move(error);
    bytes_ = bytes;
    done_ = true;
    if (waiter_) waiter_.resume();
}

void IoOperation::fail_soon(Error error) {
    detach();
    hook_.unlink();
    error_ = std::move(error);
    wakeup_.schedule();
}

void IoOperation::on_wakeup(void* self) {
    auto& operation = *static_cast<IoOperation*>(self);
    operation.complete(std::move(operation.error_), 0);
}

Result<std::size_t> IoOperation::outcome() {
    if (!started_) return context_.reason();
    if (!error_) return bytes_;
    if (context_.cancelled()) return context_.reason();
    return std::move(*error_);
}

} // namespace flotilla
