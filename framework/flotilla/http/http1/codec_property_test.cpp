#include <flotilla/http/http1/codec_driver.hpp>

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <flotilla/http/http1/encoder.hpp>

namespace flotilla::http::codec_property_test {
namespace {

const HeadLimits kLimits{.start_line_bytes = 120, .field_bytes = 200, .field_count = 6};

std::string summary(std::string_view bytes, std::size_t step) {
    RequestHead head;
    RequestParser parser;
    BodyDecoder decoder;
    Headers trailers;
    parser.start(head, kLimits);
    const auto result = decode(parser, decoder, bytes, step, [&](BodyDecoder& body) {
        body.start(parser.framing().request_body(), parser.framing().length(), 100, trailers, kLimits, Origin::client);
    });
    if (result.status != 0) return std::to_string(result.status);
    std::string text =
        (result.complete ? "whole " : "part ") + head.method_name + " " + head.target + " " + result.body;
    for (std::size_t i = 0; i < head.headers.size(); ++i)
        text.append("\n").append(head.headers[i].name).append(":").append(head.headers[i].value);
    for (std::size_t i = 0; i < trailers.size(); ++i)
        text.append("\n").append(trailers[i].name).append(";").append(trailers[i].value);
    return result.complete ? text + "\n" + std::to_string(result.consumed) : text;
}

/// The same of an answer to GET.
std::string summary_of_answer(std::string_view bytes, std::size_t step) {
    ResponseHead head;
    ResponseParser parser;
    BodyDecoder decoder;
    Headers trailers;
    parser.start(head, kLimits);
    const auto result = decode(parser, decoder, bytes, step, [&](BodyDecoder& body) {
        body.start(parser.framing().response_body(head.status, false), parser.framing().length(), 100, trailers,
                   kLimits, Origin::server);
    });
    if (result.status != 0) return std::to_string(result.status);
    std::string text = (result.complete ? "whole " : "part ") + std::to_string(head.status) + " " + result.body;
    for (const auto* fields : {&head.headers, &trailers}) {
        for (std::size_t i = 0; i < fields->size(); ++i)
            text.append("\n").append((*fields)[i].name).append(":").append((*fields)[i].value);
    }
    return result.complete ? text + "\n" + std::to_string(result.consumed) : "part";
}

/// Changes, drops, doubles or inserts a few bytes, most of them ones that mean something in HTTP.
std::string mutated(std::string text, std::mt19937& random) {
    constexpr std::string_view telling = "\r\n :;,\t\0\"/?%0aF-+\x7f\xff";
    for (auto changes = 1 + random() % 3; changes > 0 && !text.empty(); --changes) {
        const auto at = random() % text.size();
        const char byte = random() % 4 == 0 ? static_cast<char>(random()) : telling[random() % telling.size()];
        switch (random() % 4) {
        case 0:
            text[at] = byte;
            break;
        case 1:
            text.erase(at, 1 + random() % 3);
            break;
        case 2:
            text.insert(at, 1, byte);
            break;
        default:
            text.insert(at, text.substr(at, random() % 20));
            break;
        }
    }
    return text;
}

// Goal: how the bytes are cut never changes what they mean, valid or not: two readers cannot be made to disagree.
TEST(Codec, MutatedMessagesMeanTheSameHoweverTheyAreCut) {
    const std::vector<std::string> seeds{
        "GET /a/b?c=d HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n",
        "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: "
        "1\r\n\r\n",
        "PUT http://b.example:81/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
        "close\r\n\r\nhi",
        "GET / HTTP/1.0\r\n\r\n",
    };
    std::mt19937 random(20250131);
    std::size_t whole = 0, refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        const auto text = mutated(seeds[random() % seeds.size()], random);
        const auto at_once = summary(text, text.size() + 1);
        whole += at_once.starts_with("whole");
        refused += !at_once.starts_with("whole") && !at_once.starts_with("part");
        ASSERT_EQ(summary(text, 1), at_once) << text;
        ASSERT_EQ(summary(text, 1 + random() % 9), at_once) << text;
    }
    EXPECT_GT(whole, 1000u);
    EXPECT_GT(refused, 1000u);
}

// Goal: the same for answers, whose lines may be continued by the next.
TEST(Codec, MutatedAnswersMeanTheSameHoweverTheyAreCut) {
    const std::vector<std::string> seeds{
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\tw\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200\r\nX-A : 1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n2\r\nhi\r\n0\r\nExpires: 0\r\nX-Sum : 1\r\n "
        "2\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n next",
    };
    std::mt19937 random(20250217);
    std::size_t whole = 0, refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        const auto text = mutated(seeds[random() % seeds.size()], random);
        const auto at_once = summary_of_answer(text, text.size() + 1);
        whole += at_once.starts_with("whole");
        refused += !at_once.starts_with("whole") && !at_once.starts_with("part");
        ASSERT_EQ(summary_of_answer(text, 1), at_once) << text;
        ASSERT_EQ(summary_of_answer(text, 1 + random() % 9), at_once) << text;
    }
    EXPECT_GT(whole, 1000u);
    EXPECT_GT(refused, 1000u);
}

// Goal: tiny chunks that came together are one piece; their limits count as if they had come one by one.
TEST(Codec, ChunksThatCameTogetherAreOnePiece) {
    std::string sent, body;
    for (int i = 0; i < 1000; ++i) {
        const std::string chunk(1 + i % 3, static_cast<char>('a' + i % 26));
        sent += std::to_string(chunk.size()) + "\r\n" + chunk + "\r\n";
        body += chunk;
    }
    for (const std::string end : {"0\r\nX-Sum: 1\r\n\r\n", "5\r", "0\r\nX-", "5\r\n", "!\r\n"}) {
        BodyDecoder decoder;
        Headers trailers;
        std::string received = sent + end;
        decoder.start(BodyFraming::chunked, 0, body.size(), trailers, kLimits, Origin::client);
        const auto first = decoder.next(received);
        ASSERT_EQ(first.state, BodyDecoder::State::piece);
        EXPECT_EQ(first.piece, body);
        const auto next = decoder.next(std::span(received).subspan(first.consumed));
        const bool complete = end.ends_with("\r\n\r\n");
        const bool part = end == "5\r" || end == "0\r\nX-";
        EXPECT_EQ(next.state, complete ? BodyDecoder::State::done
                              : part   ? BodyDecoder::State::more
                                       : BodyDecoder::State::failed)
            << end;
        if (complete) EXPECT_EQ(trailers.get("x-sum"), "1");
        if (!complete && !part) EXPECT_EQ(decoder.error().status, end.starts_with("!") ? 400 : 413);
    }
}

// Goal: what a parser accepts, encoded again, is accepted again and means the same.
TEST(Codec, AcceptedRequestsSurviveReencoding) {
    std::mt19937 random(7);
    std::size_t accepted = 0;
    for (int round = 0; round < 5'000; ++round) {
        const auto text =
            mutated("GET /a/b?c=d HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nX-Y: z, \"q\"\r\n\r\n", random);
        RequestHead head, again;
        RequestParser parser;
        std::size_t consumed = 0;
        parser.start(head, HeadLimits{});
        if (parser.feed(text, consumed) != Progress::done || head.authority.empty()) continue;
        ++accepted;
        std::string out;
        ASSERT_TRUE(encode_request_head(out, head, head.authority, {})) << text;
        parser.start(again, HeadLimits{});
        ASSERT_EQ(parser.feed(out, consumed), Progress::done) << text << "\n" << out;
        EXPECT_EQ(consumed, out.size());
        EXPECT_EQ(again.method_name, head.method_name);
        EXPECT_EQ(again.target, head.target);
        EXPECT_EQ(again.authority, head.authority);
    }
    EXPECT_GT(accepted, 500u);
}

} // namespace
} // namespace flotilla::http::codec_property_test
