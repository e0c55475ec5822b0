#include <flotilla/aio/reactor.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/posix/descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

namespace flotilla::detail {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using SignalSet = asio::basic_signal_set<Executor>;
using StreamDescriptor = asio::posix::basic_stream_descriptor<Executor>;

namespace {

/// Memory for the one handler of a direction, so that waiting allocates nothing.
struct HandlerMemory {
    alignas(std::max_align_t) std::array<std::byte, 192> bytes;
    bool used = false;
};

template <class T>
struct HandlerAllocator {
    using value_type = T;
    HandlerMemory* memory;

    explicit HandlerAllocator(HandlerMemory* handler_memory) : memory(handler_memory) {}
    template <class U>
    HandlerAllocator(const HandlerAllocator<U>& other) : memory(other.memory) {}

    T* allocate(std::size_t count) {
        if (memory->used || count * sizeof(T) > memory->bytes.size()) {
            return static_cast<T*>(::operator new(count * sizeof(T)));
        }
        memory->used = true;
        return reinterpret_cast<T*>(memory->bytes.data());
    }
    void deallocate(T* block, std::size_t) {
        if (reinterpret_cast<std::byte*>(block) == memory->bytes.data()) {
            memory->used = false;
        } else {
            ::operator delete(block);
        }
    }
    template <class U>
    bool operator==(const HandlerAllocator<U>& other) const {
        return memory == other.memory;
    }
};

} // namespace

struct Reactor::Impl {
    asio::io_context context{1};
    asio::executor_work_guard<Executor> work{context.get_executor()};
    SteadyTimer alarm{context};
    Callback on_kick;
    Callback on_alarm;
    void* argument;
    struct Signals {
        Signals(asio::io_context& owner, std::move_only_function<void(int)> on_signal)
            : set(owner), handler(std::move(on_signal)) {}
        SignalSet set;
        std::move_only_function<void(int)> handler;
    };
    std::vector<std::unique_ptr<Signals>> signals;

    static void wait_signal(Reactor& reactor, Signals& waiting) {
        waiting.set.async_wait([&reactor, &waiting](const ErrorCode& error, int number) {
            if (error) return;
            reactor.begin_turn();
            waiting.handler(number);
            wait_signal(reactor, waiting);
        });
    }
};

Reactor::Reactor(Callback on_kick, Callback on_alarm, void* argument) : impl_(std::make_unique<Impl>()) {
    impl_->on_kick = on_kick;
    impl_->on_alarm = on_alarm;
    impl_->argument = argument;
}
Reactor::~Reactor() = default;

void Reactor::run() {
    begin_turn();
    impl_->context.run();
    // Not before running: a stop() that came first must end this run.
    impl_->context.restart();
}
void Reactor::stop() { impl_->context.stop(); }

void Reactor::kick() {
    asio::post(impl_->context, [this] {
        begin_turn();
        impl_->on_kick(impl_->argument);
    });
}

void Reactor::set_alarm(Instant at) {
    impl_->alarm.expires_at(std::chrono::steady_clock::time_point(at.time_since_epoch()));
    impl_->alarm.async_wait([this](const ErrorCode& error) {
        if (error) return; // moved
        begin_turn();
        impl_->on_alarm(impl_->argument);
    });
}

void Reactor::on_signals(std::initializer_list<int> signals, std::move_only_function<void(int)> handler) {
    auto& waiting = *impl_->signals.emplace_back(std::make_unique<Impl::Signals>(impl_->context, std::move(handler)));
    for (const int number : signals)
        waiting.set.add(number);
    Impl::wait_signal(*this, waiting);
}

Instant Reactor::monotonic() {
    if (!std::exchange(now_fresh_, true)) now_ = Instant(std::chrono::steady_clock::now().time_since_epoch());
    return now_;
}

bool Reactor::may_complete_at_once() { return at_once_left_ > 0 && at_once_left_-- > 0; }

void Reactor::begin_turn() {
    now_fresh_ = false;
    at_once_left_ = kAtOnceMax;
}

/// Outlives its Descriptor while Asio still holds a handler for it.
struct Descriptor::Core {
    struct Wait {
        Callback callback = nullptr; ///< null: nobody waits (any more)
        void* argument = nullptr;
        bool pending = false; ///< Asio holds a handler
        HandlerMemory memory{};
    };

    Reactor& reactor;
    StreamDescriptor stream;
    std::array<Wait, 2> waits;
    int references = 1;

    Core(Reactor& owner, int fd) : reactor(owner), stream(owner.impl_->context, fd) {}
    void release() {
        if (--references == 0) delete this;
    }
    void close() {
        for (Wait& wait : waits)
            wait.callback = nullptr;
        ErrorCode ignored; // close() of a socket reports only what no one can act on any more
        stream.close(ignored);
    }

    class Handler {
    public:
        using allocator_type = HandlerAllocator<void*>;

        Handler(Core& core, Direction direction) : core_(&core), direction_(direction) { ++core.references; }
        Handler(Handler&& other) noexcept : core_(std::exchange(other.core_, nullptr)), direction_(other.direction_) {}
        Handler& operator=(Handler&&) = delete;
        ~Handler() {
            if (core_ != nullptr) core_->release();
        }
        allocator_type get_allocator() const { return allocator_type(&core_->waits[direction_].memory); }

        void operator()(const ErrorCode&) {
            Wait& wait = core_->waits[direction_];
            wait.pending = false;
            if (auto* callback = std::exchange(wait.callback, nullptr)) {
                core_->reactor.begin_turn();
                callback(wait.argument);
            }
        }

    private:
        Core* core_;
        Direction direction_;
    };
};

Descriptor::Descriptor(Reactor& reactor, int fd) : core_(new Core(reactor, fd)) {}
Descriptor::~Descriptor() {
    if (core_ == nullptr) return; // moved from
    core_->close();
    core_->release();
}

int Descriptor::fd() const { return core_->stream.is_open() ? core_->stream.native_handle() : -1; }

void Descriptor::wait(Direction direction, Callback callback, void* argument) {
    auto& wait = core_->waits[direction];
    wait.callback = callback;
    wait.argument = argument;
    // A wait that was taken back is still there, and as good.
    if (std::exchange(wait.pending, true)) return;
    core_->stream.async_wait(direction == reading ? asio::posix::descriptor_base::wait_read
                                                  : asio::posix::descriptor_base::wait_write,
                             Core::Handler(*core_, direction));
}

void Descriptor::forget(Direction direction) { core_->waits[direction].callback = nullptr; }

void Descriptor::close() { core_->close(); }

} // namespace flotilla::detail
