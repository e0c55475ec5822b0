#pragma once

#include <string>
#include <string_view>

#include <flotilla/bus/redis/resp.hpp>

#include "hub/redis/entry_id.hpp"

namespace flotilla::hub {

/// Appends replies of one session, in its protocol version.
class Reply {
public:
    Reply(std::string& out, int protocol) : out_(&out), protocol_(protocol) {}

    int protocol() const { return protocol_; }
    void ok() { resp::write_simple(*out_, "OK"); }
    void simple(std::string_view text) { resp::write_simple(*out_, text); }
    /// With its code: "ERR syntax error".
    void error(std::string_view text) { resp::write_error(*out_, text); }
    void integer(std::int64_t value) { resp::write_integer(*out_, value); }
    void bulk(std::string_view bytes) { resp::write_bulk(*out_, bytes); }
    void null() { resp::write_null(*out_, protocol_); }
    void null_array() { resp::write_null_array(*out_, protocol_); }
    void array(std::size_t items) { resp::write_array(*out_, items); }
    void map(std::size_t pairs) { resp::write_map(*out_, pairs, protocol_); }
    void push(std::size_t items) { resp::write_push(*out_, items, protocol_); }
    void id(EntryId id) {
        std::string text;
        id.append_to(text);
        bulk(text);
    }
    /// What is already RESP.
    void raw(std::string_view bytes) { out_->append(bytes); }
    /// Text for people: a verbatim string in RESP3.
    void verbatim(std::string_view text) {
        if (protocol_ < 3) return bulk(text);
        *out_ += '=' + std::to_string(text.size() + 4) + "\r\ntxt:";
        out_->append(text);
        *out_ += "\r\n";
    }

    /// For aggregates whose size is known afterwards: remember the place, write the items, then the header before them.
    std::size_t place() const { return out_->size(); }
    void array_at(std::size_t place, std::size_t items) {
        std::string header;
        resp::write_array(header, items);
        out_->insert(place, header);
    }
    void raw_at(std::size_t place, std::string_view bytes) { out_->insert(place, bytes); }
    void map_at(std::size_t place, std::size_t pairs) {
        std::string header;
        resp::write_map(header, pairs, protocol_);
        out_->insert(place, header);
    }

private:
    std::string* out_;
    int protocol_;
};

} // namespace flotilla::hub
