#include "bench/harness/closed_loop.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace flotilla::bench::closed_loop_test {
namespace {

// Goal: an HTTP answer counts once it is whole, whatever the case of its field names, and without what follows.
TEST(HttpAnswerLength, WholeAnswerGivesItsLength) {
    const std::string answer = "HTTP/1.1 201 Created\r\ncontent-LENGTH:  5\r\nServer: x\r\n\r\nhello";
    for (std::size_t size = 0; size < answer.size(); ++size)
        EXPECT_EQ(http_answer_length(answer.substr(0, size)), 0u) << size;
    EXPECT_EQ(http_answer_length(answer), answer.size());
    EXPECT_EQ(http_answer_length(answer + "HTTP/1.1 200"), answer.size());
}

// Goal: a failed request is never counted as work.
TEST(HttpAnswerLength, FailureOrUnknownLengthThrows) {
    EXPECT_THROW(http_answer_length("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"), std::runtime_error);
    EXPECT_THROW(http_answer_length("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), std::runtime_error);
    EXPECT_THROW(http_answer_length("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), std::runtime_error);
}

// Goal: RESP replies count once they are whole.
TEST(RespAnswerLength, WholeReplyGivesItsLength) {
    EXPECT_EQ(resp_answer_length("+OK\r\n"), 5u);
    EXPECT_EQ(resp_answer_length(":12\r\n"), 5u);
    const std::string id = "$3\r\n1-1\r\n";
    for (std::size_t size = 0; size < id.size(); ++size)
        EXPECT_EQ(resp_answer_length(id.substr(0, size)), 0u) << size;
    EXPECT_EQ(resp_answer_length(id), id.size());
}

// Goal: an error reply is never counted as work.
TEST(RespAnswerLength, ErrorThrows) { EXPECT_THROW(resp_answer_length("-ERR no\r\n"), std::runtime_error); }

// Goal: a mail counts once it is taken and the next one may come; a refusal is never counted as work.
TEST(SmtpAnswerLength, RepliesUpToTheNextMessageGiveTheirLength) {
    const std::string replies = "250 taken\r\n250-x\r\n250 y\r\n354 go on\r\n";
    for (std::size_t size = 0; size < replies.size(); ++size)
        EXPECT_EQ(smtp_answer_length(replies.substr(0, size)), 0u) << size;
    EXPECT_EQ(smtp_answer_length(replies), replies.size());
    EXPECT_THROW(smtp_answer_length("250 fine\r\n452 full\r\n"), std::runtime_error);
}

} // namespace
} // namespace flotilla::bench::closed_loop_test
