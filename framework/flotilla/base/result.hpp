#pragma once

#include <concepts>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flotilla/base/duration.hpp>

namespace flotilla {

/// What went wrong, in terms every protocol can express. Each kind has one HTTP and one gRPC status.
/// Services add their own codes (contract/error_code.hpp) on top of a kind.
enum class Kind : std::uint8_t {
    invalid,            ///< 400, INVALID_ARGUMENT: the request itself is wrong
    unauthenticated,    ///< 401, UNAUTHENTICATED
    forbidden,          ///< 403, PERMISSION_DENIED
    not_found,          ///< 404, NOT_FOUND
    method_not_allowed, ///< 405, UNIMPLEMENTED
    conflict,           ///< 409, ABORTED: the state does not allow it now
    too_large,          ///< 413, RESOURCE_EXHAUSTED: request content over its limit
    unsupported,        ///< 415, INVALID_ARGUMENT: media type not understood
    unprocessable,      ///< 422, FAILED_PRECONDITION
    exhausted,          ///< 429, RESOURCE_EXHAUSTED: a quota or rate limit
    cancelled,          ///< 499, CANCELLED: the caller went away
    internal,           ///< 500, INTERNAL: a bug or a broken dependency of our own
    unimplemented,      ///< 501, UNIMPLEMENTED
    bad_gateway,        ///< 502, UNAVAILABLE: an upstream answered with nonsense
    unavailable,        ///< 503, UNAVAILABLE: no instance, overload, shutting down; trying again may help
    deadline_exceeded,  ///< 504, DEADLINE_EXCEEDED
};

/// The HTTP status of a kind (RFC 9110; 499 is the widely used "client closed request").
int http_status(Kind kind);

/// The gRPC status code of a kind (0..16).
int grpc_status(Kind kind);

/// The kind a response status stands for; statuses below 400 are `internal` (the caller expected an error).
Kind kind_of_http_status(int status);

/// Machine name of a kind as used in JSON and logs, e.g. "not_found".
std::string_view name(Kind kind);

/// One bad field of a request.
struct FieldError {
    std::string path;    ///< JSON path as the client wrote it, e.g. "items[2].quantity"
    std::string message; ///< what was expected and what was found, e.g. "expected 1..1000, found 0"
};

/// An expected failure. Cheap to move (one pointer); copying clones. Never empty unless moved from.
class Error {
public:
    /// code: stable machine name, e.g. "user_not_found". message: for people, says what to do where it can.
    Error(Kind kind, std::string code, std::string message);
    /// An error without a code of its own: the code is the kind's name.
    Error(Kind kind, std::string message);
    Error(const Error& other);
    Error& operator=(const Error& other);
    Error(Error&&) noexcept = default;
    Error& operator=(Error&&) noexcept = default;
    ~Error() = default;

    Kind kind() const;
    const std::string& code() const;
    const std::string& message() const;
    const std::vector<FieldError>& fields() const;
    /// How long the caller should wait before trying again; zero when unknown.
    Duration retry_after() const;
    /// Whether it may help that somebody further up tries again; false: who found it has tried all it could.
    bool retry_helps() const;

    Error&& with_field(std::string path, std::string message) &&;
    Error&& with_fields(std::vector<FieldError> fields) &&;
    Error&& with_retry_after(Duration wait) &&;
    Error&& with_no_retry() &&;
    /// Puts "context: " before the message, for errors that pass through a layer that knows more.
    Error&& with_context(std::string_view context) &&;

    bool operator==(const Error& other) const;

private:
    struct Data {
        Kind kind;
        std::string code;
        std::string message;
        std::vector<FieldError> fields;
        Duration retry_after{};
        bool retry_helps = true;
    };
    std::unique_ptr<Data> data_;
};

/// A value or an Error. Expected outcomes are Results; exceptions are for bugs and start-up.
/// Anything convertible to Error (an ErrorCode, say) converts to a failed Result.
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
    using Base = std::expected<T, Error>;

public:
    using Base::Base;
    Result()
        requires std::default_initializable<T>
    = default;
    Result(Base&& base) : Base(std::move(base)) {}
    template <class E>
        requires(std::convertible_to<E, Error> && !std::same_as<std::remove_cvref_t<E>, T>)
    Result(E&& error) : Base(std::unexpect, static_cast<Error>(std::forward<E>(error))) {}
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
    using Base = std::expected<void, Error>;

public:
    using Base::Base;
    Result() = default;
    Result(Base&& base) : Base(std::move(base)) {}
    template <class E>
        requires std::convertible_to<E, Error>
    Result(E&& error) : Base(std::unexpect, static_cast<Error>(std::forward<E>(error))) {}
};

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

} // namespace flotilla
