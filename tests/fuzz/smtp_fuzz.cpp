#include <array>
#include <string>
#include <vector>

#include "hub/smtp/smtp_session.hpp"
#include "tests/fuzz/fuzz.hpp"

// The client's side of an SMTP session: however it is cut, the same replies and the same mails; every mail within its
// bounds and without bare line ends.

namespace flotilla::hub {
namespace {

using fuzz::require;

const SmtpLimits kSmall{
    .message_bytes_max = 128, .line_bytes_max = 64, .recipients_max = 3, .errors_max = 4, .authentication = true};

struct Outcome {
    std::string replies;
    std::vector<IncomingMail> mails;
    bool closed = false;
};

void require_fine(const IncomingMail& mail, const SmtpLimits& limits) {
    require(!mail.recipients.empty(), "a mail without recipients");
    require(mail.recipients.size() <= limits.recipients_max, "too many recipients");
    require(mail.data.size() <= limits.message_bytes_max, "a mail beyond the limit");
    for (std::size_t at = 0; at < mail.data.size(); ++at) {
        if (mail.data[at] == '\r') require(at + 1 < mail.data.size() && mail.data[at + 1] == '\n', "a bare CR");
        if (mail.data[at] == '\n') require(at > 0 && mail.data[at - 1] == '\r', "a bare LF");
    }
}

Outcome run(std::string_view bytes, std::size_t step, const SmtpLimits& limits) {
    SmtpSession session(limits);
    Outcome outcome;
    for (std::size_t at = 0; at < bytes.size() && !outcome.closed; at += step) {
        session.feed(bytes.substr(at, step));
        while (true) {
            const auto need = session.advance(outcome.replies);
            if (need == SmtpSession::Need::bytes) break;
            if (need == SmtpSession::Need::close) {
                outcome.closed = true;
                break;
            }
            require_fine(session.mail(), limits);
            outcome.mails.push_back(session.mail());
            // Every other mail cannot be kept: the session goes on all the same.
            if (outcome.mails.size() % 2 == 1) {
                session.stored("1", outcome.replies);
            } else {
                session.not_stored(outcome.replies);
            }
        }
    }
    return outcome;
}

/// The replies without the refusal that ended the session: which of two mistakes in a line it names depends on how much
/// of the line has come.
std::string_view without_last_words(const Outcome& outcome) {
    std::string_view replies = outcome.replies;
    if (!outcome.closed || replies.size() < 2) return replies;
    const auto start = replies.rfind("\r\n", replies.size() - 3);
    const auto last = start == std::string_view::npos ? std::size_t{0} : start + 2;
    return replies.substr(last).starts_with('5') ? replies.substr(0, last) : replies;
}

void require_replies(std::string_view replies) {
    while (!replies.empty()) {
        const auto end = replies.find("\r\n");
        require(end != std::string_view::npos && end >= 4, "a reply is not a line");
        const auto code = replies.substr(0, 3);
        require(code.find_first_not_of("0123456789") == std::string_view::npos, "a reply without a code");
        require(replies[3] == ' ' || replies[3] == '-', "a reply without a separator");
        replies.remove_prefix(end + 2);
    }
}

void check(std::string_view bytes, const SmtpLimits& limits) {
    const auto whole = run(bytes, bytes.size(), limits);
    require_replies(whole.replies);
    for (const std::size_t step : std::array<std::size_t, 2>{1, 5}) {
        const auto cut = run(bytes, step, limits);
        require(cut.closed == whole.closed, "the cuts change whether the session goes on");
        require(without_last_words(cut) == without_last_words(whole), "the cuts change the replies");
        require(cut.mails.size() == whole.mails.size(), "the cuts change the number of mails");
        for (std::size_t i = 0; i < cut.mails.size(); ++i) {
            require(cut.mails[i].data == whole.mails[i].data && cut.mails[i].sender == whole.mails[i].sender &&
                        cut.mails[i].recipients == whole.mails[i].recipients,
                    "the cuts change a mail");
        }
    }
}

} // namespace
} // namespace flotilla::hub

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace flotilla;
    if (size == 0) return 0;
    hub::check(fuzz::text_of(data, size), {});
    hub::check(fuzz::text_of(data, size), hub::kSmall);
    return 0;
}
