#pragma once

#include <flotilla/aio/event.hpp>
#include <flotilla/discovery/registry.hpp>

namespace flotilla {

/// Every known service with its instances.
using KnownInstances = std::map<std::string, Instances, std::less<>>;
std::string cache_text(const KnownInstances& known);
/// Errors: invalid, when the text is not what cache_text() writes.
Result<KnownInstances> parse_cache(std::string_view text);

/// The last known instances in a file, so that a process starts without its registry. Written atomically (another file,
/// then rename) and not more often than every 200 ms. A file that cannot be read or written is logged, never fatal.
/// Thread-safety: none.
class CacheFile {
public:
    /// path empty: memory only.
    CacheFile(World& world, Logger log, std::string path);

    const KnownInstances& known() const { return known_; }
    void put(const std::string& service, Instances instances);
    /// Writes changes until the context is cancelled, then what is left.
    task<void> run(Context& context);

private:
    void load();

    World& world_;
    Logger log_;
    std::string path_;
    std::string scratch_path_;
    KnownInstances known_;
    bool changed_ = false;
    Event wake_;
};

} // namespace flotilla
