#include "services/notification/mail/smtp_mailer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include <flotilla/aio/offload.hpp>

using namespace flotilla;

namespace notification {
namespace {

struct Upload {
    std::string_view rest;

    static std::size_t read(char* buffer, std::size_t size, std::size_t count, void* self) {
        auto& upload = *static_cast<Upload*>(self);
        const auto bytes = std::min(size * count, upload.rest.size());
        std::memcpy(buffer, upload.rest.data(), bytes);
        upload.rest.remove_prefix(bytes);
        return bytes;
    }
};

/// Shared with the thread that sends: nobody waits for the mail any more, so libcurl gives up within a second.
struct Abandoned {
    std::atomic<bool> yes = false;

    static int look(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<Abandoned*>(self)->yes ? 1 : 0;
    }
};

/// Says so when the waiting coroutine ends, however it ends.
struct OnLeaving {
    std::shared_ptr<Abandoned> abandoned;
    ~OnLeaving() { abandoned->yes = true; }
};

/// It becomes part of an SMTP command: nothing in it may end that command.
bool is_safe_address(std::string_view address) {
    return !address.empty() && std::ranges::none_of(address, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '<' || c == '>';
    });
}

// libcurl's global state is made once per process and never torn down.
void initialise_curl() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

Result<void> send_blocking(const std::string& url, const std::string& from, const std::string& to,
                           const std::string& message, long timeout_ms, Abandoned& abandoned) {
    initialise_curl();
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
    if (!curl) return Error(Kind::unavailable, "libcurl could not be initialised");
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> recipients(
        curl_slist_append(nullptr, ("<" + to + ">").c_str()), &curl_slist_free_all);
    Upload upload{message};
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, timeout_ms);
    // Also bounds the farewell (QUIT), to which the timeout above does not apply.
    curl_easy_setopt(curl.get(), CURLOPT_SERVER_RESPONSE_TIMEOUT, std::clamp(timeout_ms / 2000, 1L, 10L));
    curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &Abandoned::look);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &abandoned);
    curl_easy_setopt(curl.get(), CURLOPT_MAIL_FROM, ("<" + from + ">").c_str());
    curl_easy_setopt(curl.get(), CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(curl.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_READFUNCTION, &Upload::read);
    curl_easy_setopt(curl.get(), CURLOPT_READDATA, &upload);
    const auto outcome = curl_easy_perform(curl.get());
    if (outcome == CURLE_OK) return {};
    long reply = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &reply);
    const std::string why = "mail server " + url + ": " + curl_easy_strerror(outcome) +
                            (reply ? " (reply " + std::to_string(reply) + ")" : "");
    return Error(reply >= 500 && reply < 600 ? Kind::invalid : Kind::unavailable, why);
}

} // namespace

SmtpMailer::SmtpMailer(std::string url, std::string from_address)
    : url_(std::move(url)), from_address_(std::move(from_address)) {}

task<Result<void>> SmtpMailer::send(Context& context, std::string to_address, std::string message) {
    const auto left = std::min<Duration>(context.remaining(), std::chrono::seconds(30));
    const auto timeout_ms = static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(left).count());
    if (timeout_ms <= 0) co_return Error(Kind::deadline_exceeded, "no time left to send a mail");
    if (!is_safe_address(to_address)) co_return Error(Kind::invalid, "invalid_address", "not a mail address");
    auto abandoned = std::make_shared<Abandoned>();
    const OnLeaving on_leaving{abandoned};
    co_return co_await offload(
        context, [url = url_, from = from_address_, to = std::move(to_address), message = std::move(message),
                  timeout_ms, abandoned] { return send_blocking(url, from, to, message, timeout_ms, *abandoned); });
}

} // namespace notification
