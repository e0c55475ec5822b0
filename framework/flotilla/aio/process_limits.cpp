#include <flotilla/aio/process_limits.hpp>

#include <sys/resource.h>

#include <csignal>

namespace flotilla {

std::size_t prepare_server_process() {
    std::signal(SIGPIPE, SIG_IGN);
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised; // else what there was has to do
    }
    return limit.rlim_cur;
}

} // namespace flotilla
