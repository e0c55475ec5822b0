#include <flotilla/base/result.hpp>

#include <array>

namespace flotilla {
namespace {

struct KindRow {
    std::string_view name;
    int http;
    int grpc;
};

// Indexed by Kind, in its order.
constexpr std::array<KindRow, 16> kKinds{{
    {"invalid", 400, 3},
    {"unauthenticated", 401, 16},
    {"forbidden", 403, 7},
    {"not_found", 404, 5},
    {"method_not_allowed", 405, 12},
    {"conflict", 409, 10},
    {"too_large", 413, 8},
    {"unsupported", 415, 3},
    {"unprocessable", 422, 9},
    {"exhausted", 429, 8},
    {"cancelled", 499, 1},
    {"internal", 500, 13},
    {"unimplemented", 501, 12},
    {"bad_gateway", 502, 14},
    {"unavailable", 503, 14},
    {"deadline_exceeded", 504, 4},
}};

const KindRow& row(Kind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

} // namespace

int http_status(Kind kind) { return row(kind).http; }
int grpc_status(Kind kind) { return row(kind).grpc; }
std::string_view name(Kind kind) { return row(kind).name; }

Kind kind_of_http_status(int status) {
    for (std::size_t i = 0; i < kKinds.size(); ++i) {
        if (kKinds[i].http == status) return static_cast<Kind>(i);
    }
    if (status == 408) return Kind::deadline_exceeded;
    if (status == 410) return Kind::not_found;
    if (status >= 400 && status < 500) return Kind::invalid;
    return Kind::internal;
}

Error::Error(Kind kind, std::string code, std::string message)
    : data_(std::make_unique<Data>(Data{kind, std::move(code), std::move(message), {}, {}})) {}
Error::Error(Kind kind, std::string message) : Error(kind, std::string(name(kind)), std::move(message)) {}
Error::Error(const Error& other) : data_(std::make_unique<Data>(*other.data_)) {}
Error& Error::operator=(const Error& other) {
    data_ = std::make_unique<Data>(*other.data_);
    return *this;
}

Kind Error::kind() const { return data_->kind; }
const std::string& Error::code() const { return data_->code; }
const std::string& Error::message() const { return data_->message; }
const std::vector<FieldError>& Error::fields() const { return data_->fields; }
Duration Error::retry_after() const { return data_->retry_after; }
bool Error::retry_helps() const { return data_->retry_helps; }

Error&& Error::with_field(std::string path, std::string message) && {
    data_->fields.push_back({std::move(path), std::move(message)});
    return std::move(*this);
}
Error&& Error::with_fields(std::vector<FieldError> fields) && {
    data_->fields = std::move(fields);
    return std::move(*this);
}
Error&& Error::with_no_retry() && {
    data_->retry_helps = false;
    return std::move(*this);
}

Error&& Error::with_retry_after(Duration wait) && {
    data_->retry_after = wait;
    return std::move(*this);
}
Error&& Error::with_context(std::string_view context) && {
    data_->message.insert(0, std::string(context) + ": ");
    return std::move(*this);
}

bool Error::operator==(const Error& other) const {
    return kind() == other.kind() && code() == other.code() && message() == other.message();
}

} // namespace flotilla
