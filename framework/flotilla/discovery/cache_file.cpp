#include <flotilla/discovery/cache_file.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <flotilla/aio/offload.hpp>
#include <flotilla/base/json_value.hpp>
#include <flotilla/discovery/instance_json.hpp>
#include <flotilla/discovery/json_members.hpp>

namespace flotilla {
namespace {

namespace bj = boost::json;

constexpr Duration kPauseBetweenWrites = std::chrono::milliseconds(200);

/// No fsync: after a power cut an old or empty file is as good as none, and a rename never shows half of one.
Result<void> replace_file(const std::string& path, const std::string& scratch, const std::string& text) {
    std::error_code failed;
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, failed);
    {
        std::ofstream out(scratch, std::ios::binary | std::ios::trunc);
        out << text;
        out.close();
        if (!out)
            return Error(Kind::internal, "cannot write " + scratch + ": " + std::generic_category().message(errno));
    }
    std::filesystem::rename(scratch, path, failed);
    if (failed) return Error(Kind::internal, "cannot replace " + path + ": " + failed.message());
    return {};
}

} // namespace

std::string cache_text(const KnownInstances& known) {
    bj::object services;
    for (const auto& [service, instances] : known) {
        bj::array list;
        for (const auto& instance : *instances)
            list.push_back(instance_json(instance));
        services[service] = std::move(list);
    }
    return bj::serialize(bj::value{{"services", std::move(services)}}) + "\n";
}

Result<KnownInstances> parse_cache(std::string_view text) {
    const Error damaged(Kind::invalid, "the registry's cache file is damaged");
    auto parsed = json::parse_value(text);
    const auto* services = parsed ? object_at(parsed->if_object(), "services") : nullptr;
    if (!services) return damaged;
    KnownInstances known;
    for (const auto& [key, value] : *services) {
        const std::string service(key.data(), key.size());
        const auto* entries = value.if_array();
        if (!entries) return damaged;
        std::vector<Instance> list;
        for (const auto& entry : *entries) {
            auto instance = read_instance(service, entry);
            if (!instance) return damaged;
            list.push_back(std::move(*instance));
        }
        known[service] = std::make_shared<const std::vector<Instance>>(std::move(list));
    }
    return known;
}

CacheFile::CacheFile(World& world, Logger log, std::string path)
    : world_(world), log_(std::move(log)), path_(std::move(path)) {
    if (path_.empty()) return;
    scratch_path_ = path_ + "." + std::string(new_id(world_)); // several loops or processes may write the same file
    load();
}

void CacheFile::load() {
    std::ifstream in(path_, std::ios::binary);
    if (!in) return; // the first start
    std::ostringstream text;
    text << in.rdbuf();
    auto known = parse_cache(text.view());
    if (!known) {
        log_.warning("ignoring the registry's cache file", {{"file", path_}, {"reason", known.error().message()}});
        return;
    }
    known_ = std::move(*known);
}

void CacheFile::put(const std::string& service, Instances instances) {
    known_[service] = std::move(instances);
    if (path_.empty()) return;
    changed_ = true;
    wake_.notify();
}

task<void> CacheFile::run(Context& context) {
    while (!context.cancelled()) {
        if (auto woken = co_await wake_.wait(context); !woken) break;
        if (!changed_) continue;
        changed_ = false;
        auto written = co_await offload(context, [path = path_, scratch = scratch_path_, text = cache_text(known_)] {
            return replace_file(path, scratch, text);
        });
        if (!written && !context.cancelled()) {
            log_.warning("the registry's cache file was not written", {{"reason", written.error().message()}});
        }
        if (!written) changed_ = true;
        // Ends early with the context, which the loop looks at.
        (void)co_await sleep_for(context, kPauseBetweenWrites);
        if (changed_) wake_.notify();
    }
    if (!changed_) co_return;
    if (auto written = replace_file(path_, scratch_path_ + ".last", cache_text(known_)); !written) {
        log_.warning("the registry's cache file was not written", {{"reason", written.error().message()}});
    }
}

} // namespace flotilla
