#include <flotilla/base/json.hpp>

#include <algorithm>
#include <bit>
#include <memory>
#include <new>
#include <stdexcept>

#include <fmt/format.h>
#include <simdjson.h>

#include <flotilla/base/json_reader.hpp>

namespace flotilla::json {
namespace {

constexpr std::size_t kKeptCapacity = 1 << 20; ///< longer texts do not leave their index (four times as large) behind

/// simdjson's index of tokens (its "stage 1"), one per thread and used again.
class TokenIndex {
public:
    /// Finds all tokens of text: offsets() has count() of them and the text's size behind the last.
    simdjson::error_code scan(std::string_view text) {
        if (auto error = grow(text.size())) return error;
        // The portable implementation, for processors without SSE4.2, looks one byte past the end.
        static const bool portable = simdjson::get_active_implementation()->name() == "fallback";
        std::string copy;
        if (portable) text = copy = text;
        return index_->stage1(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                              simdjson::stage1_mode::regular);
    }
    const std::uint32_t* offsets() const { return index_->structural_indexes.get(); }
    std::size_t count() const { return index_->n_structural_indexes; }
    void trim() {
        if (capacity_ > kKeptCapacity) index_.reset();
        if (!index_) capacity_ = 0;
    }

private:
    simdjson::error_code grow(std::size_t size) {
        if (index_ && size <= capacity_) return simdjson::SUCCESS;
        const auto capacity = std::bit_ceil(std::max<std::size_t>(size, 4096));
        index_.reset();
        capacity_ = 0;
        if (auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, 1, index_))
            return error;
        capacity_ = capacity;
        return simdjson::SUCCESS;
    }

    std::unique_ptr<simdjson::internal::dom_parser_implementation> index_;
    std::size_t capacity_ = 0;
};

thread_local TokenIndex tokens_of_thread;

Error not_json(simdjson::error_code error) {
    if (error == simdjson::MEMALLOC) throw std::bad_alloc();
    const auto why = [&]() -> std::string {
        switch (error) {
        case simdjson::EMPTY:
            return "there is no content";
        case simdjson::CAPACITY:
            return "the text is too long";
        case simdjson::UTF8_ERROR:
            return "the text is not UTF-8";
        case simdjson::UNCLOSED_STRING:
            return "a string is not closed";
        case simdjson::UNESCAPED_CHARS:
            return "a control character in a string is not escaped";
        default:
            throw std::runtime_error(simdjson::error_message(error)); // nothing the text can be blamed for
        }
    }();
    return Error(Kind::invalid, "invalid_json", "not JSON: " + why);
}

} // namespace

Result<void> parse_into(std::string_view text, const TypeDescriptor& type, void* into, const FieldSet& bound) {
    auto& tokens = tokens_of_thread;
    if (auto error = tokens.scan(text)) return not_json(error);
    auto done = Reader(text, tokens.offsets(), tokens.count()).read_document(type, into, bound);
    tokens.trim();
    return done;
}

Error invalid_request(std::vector<FieldError> fields) {
    const auto& first = fields.front();
    auto message = first.path.empty() ? first.message : first.path + ": " + first.message;
    if (fields.size() > 1) message += fmt::format(" (and {} more)", fields.size() - 1);
    return Error(Kind::invalid, "invalid_request", std::move(message)).with_fields(std::move(fields));
}

} // namespace flotilla::json
