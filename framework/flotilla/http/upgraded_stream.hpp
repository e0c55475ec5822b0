#pragma once

#include <memory>
#include <string>

#include <flotilla/aio/stream.hpp>

namespace flotilla::http {

/// A stream with bytes in front that were received before it changed its protocol.
class UpgradedStream final : public Stream {
public:
    UpgradedStream(std::unique_ptr<Stream> inner, std::string received)
        : inner_(std::move(inner)), received_(std::move(received)) {}

    void shutdown_write() override { inner_->shutdown_write(); }
    void close() override { inner_->close(); }
    void reset() override { inner_->reset(); }
    bool is_open() const override { return inner_->is_open(); }
    bool is_quiet() const override { return at_ == received_.size() && inner_->is_quiet(); }
    bool is_quiet_now() const override { return at_ == received_.size() && inner_->is_quiet_now(); }
    void guard_next_write() override { inner_->guard_next_write(); }
    bool has_reached_peer() const override { return inner_->has_reached_peer(); }
    PeerState peer_state() const override { return inner_->peer_state(); }
    const Address& peer() const override { return inner_->peer(); }

protected:
    void start_read(std::span<char> buffer, IoOperation& operation) override;
    void start_write(std::span<const std::string_view> pieces, IoOperation& operation) override {
        start_write_on(*inner_, pieces, operation);
    }
    void abort_operations() override { abort_operations_on(*inner_); }

private:
    std::unique_ptr<Stream> inner_;
    std::string received_;
    std::size_t at_ = 0;
};

} // namespace flotilla::http
