#include <flotilla/service/request/idempotency.hpp>

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace flotilla {
namespace {

constexpr std::size_t kKeyBytesMax = 255;

std::string sha256_hex(std::initializer_list<std::string_view> pieces) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    bool ok = hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
    for (const auto piece : pieces)
        ok = ok && EVP_DigestUpdate(hash.get(), piece.data(), piece.size()) == 1;
    ok = ok && EVP_DigestFinal_ex(hash.get(), digest.data(), &size) == 1;
    if (!ok) throw std::runtime_error("SHA-256 is not available in this OpenSSL");
    std::string text(2 * std::size_t{size}, '\0');
    write_hex(std::span(digest).first(size), text.data());
    return text;
}

} // namespace

task<Result<void>> IdempotencyKeys::call(Context& context, EndpointCore& endpoint, HttpEdge& edge, std::string key) {
    if (key.empty() || key.size() > kKeyBytesMax) {
        co_return Error(Kind::invalid, "invalid_idempotency_key", "Idempotency-Key must have 1 to 255 characters");
    }
    IdempotentRequest request{.endpoint =
                                  std::string(name(endpoint.info.method)) + " " + std::string(endpoint.info.path),
                              .caller = context.principal.subject,
                              .key = std::move(key),
                              .request_hash = sha256_hex({edge.request().target, "\n", edge.request_body()})};
    auto entry = in_flight_.enter(request.endpoint + "\n" + request.caller + "\n" + request.key);
    if (!entry) {
        co_return Error(Kind::conflict, "idempotency_key_in_use",
                        "a request with this Idempotency-Key is being handled; try again")
            .with_retry_after(std::chrono::seconds(1));
    }
    if (auto recorded = co_await must(find_recorded_response(context, *database_, request))) {
        edge.replay(std::move(*recorded));
        co_return Result<void>();
    }
    const Carried carried(context, request);
    co_await must(endpoint.call(context, edge));
    if (!request.recorded) {
        // What was done is done: to refuse it now would have the caller do it again.
        log_.error(context,
                   "an answer was not recorded under its Idempotency-Key: Database::answer() was given another context "
                   "than the request's",
                   {{"endpoint", request.endpoint}});
    }
    co_return Result<void>();
}

} // namespace flotilla
