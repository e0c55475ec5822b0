#include "services/notification/mail/smtp_connection.hpp"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string_view>

namespace notification {
namespace {

// libcurl's global state is made once per process and never torn down.
void initialise_curl() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

} // namespace

struct SmtpConnection::State {
    State(const std::string& server, const std::string& from_address);
    ~State();

    CURLcode perform(const std::string& to, std::string_view message, Duration timeout, bool fresh);
    bool broke_while_idle(CURLcode code) const;
    Result<void> outcome(CURLcode code) const;

    static std::size_t read(char* buffer, std::size_t size, std::size_t count, void* self) {
        auto& rest = static_cast<State*>(self)->rest;
        const auto bytes = std::min(size * count, rest.size());
        std::memcpy(buffer, rest.data(), bytes);
        rest.remove_prefix(bytes);
        return bytes;
    }
    static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return *static_cast<State*>(self)->abandoned ? 1 : 0;
    }
    static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
        const int made = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
        return static_cast<State*>(self)->socket = made;
    }
    static int close_socket(void* self, curl_socket_t closed) {
        auto& open = static_cast<State*>(self)->socket;
        if (open == closed) open = -1;
        return ::close(closed);
    }

    const std::string url;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{nullptr, &curl_easy_cleanup};
    int socket = -1;       ///< the latest one, while it is open
    std::string_view rest; ///< of the message, not yet sent
    const std::atomic<bool>* abandoned = nullptr;
};

SmtpConnection::State::State(const std::string& server, const std::string& from_address) : url(server) {
    initialise_curl();
    curl.reset(curl_easy_init());
    if (!curl) return;
    CURL* handle = curl.get();
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &State::look);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, this);
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, ("<" + from_address + ">").c_str());
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, &State::read);
    curl_easy_setopt(handle, CURLOPT_READDATA, this);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &State::open_socket);
    curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, &State::close_socket);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETDATA, this);
}

SmtpConnection::State::~State() {
    // What libcurl says still goes out; waiting for the answer it meets the end at once.
    if (socket >= 0) ::shutdown(socket, SHUT_RD);
}

CURLcode SmtpConnection::State::perform(const std::string& to, std::string_view message, Duration timeout, bool fresh) {
    const auto timeout_ms = static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> recipients(
        curl_slist_append(nullptr, ("<" + to + ">").c_str()), &curl_slist_free_all);
    CURL* handle = curl.get();
    rest = message;
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, std::max(timeout_ms, 1L));
    // Also bounds the farewell (QUIT) after an error, to which the timeout above does not apply.
    curl_easy_setopt(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, std::clamp(timeout_ms / 2000, 1L, 10L));
    curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients.get());
    const auto code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, nullptr);
    return code;
}

/// The server had closed the kept connection when it was used again: no fault of the mail's.
bool SmtpConnection::State::broke_while_idle(CURLcode code) const {
    if (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING) return false;
    long connected = 1;
    curl_easy_getinfo(curl.get(), CURLINFO_NUM_CONNECTS, &connected);
    return connected == 0;
}

Result<void> SmtpConnection::State::outcome(CURLcode code) const {
    if (code == CURLE_OK) return {};
    long reply = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &reply);
    const std::string why = "mail server " + url + ": " + curl_easy_strerror(code) +
                            (reply ? " (reply " + std::to_string(reply) + ")" : "");
    return Error(reply >= 500 && reply < 600 ? Kind::invalid : Kind::unavailable, why);
}

SmtpConnection::SmtpConnection(const std::string& url, const std::string& from_address)
    : state_(std::make_unique<State>(url, from_address)) {}
SmtpConnection::~SmtpConnection() = default;

Result<void> SmtpConnection::send(const std::string& to, const std::string& message, Duration timeout,
                                  const std::atomic<bool>& abandoned) {
    if (!state_->curl) return Error(Kind::unavailable, "libcurl could not be initialised");
    state_->abandoned = &abandoned;
    auto code = state_->perform(to, message, timeout, false);
    if (state_->broke_while_idle(code)) code = state_->perform(to, message, timeout, true);
    return state_->outcome(code);
}

} // namespace notification
