#include "cli/backup_manifest.hpp"

#include <algorithm>

#include <flotilla/node/text_file.hpp>

namespace flotilla::cli {
namespace {

/// It becomes a path below a folder.
bool stays_inside(const std::string& name) {
    const std::filesystem::path path(name);
    return path.is_relative() && !name.empty() &&
           std::ranges::none_of(path, [](const auto& part) { return part == ".."; });
}

} // namespace

Result<BackupManifest> read_manifest(const std::filesystem::path& folder) {
    const auto file = folder / BackupManifest::kFile;
    auto text = read_text_file(file.string());
    if (!text) return Error(Kind::not_found, folder.string() + " is no backup: " + text.error().message());
    auto manifest = json::parse<BackupManifest>(*text);
    if (!manifest) return Error(Kind::invalid, file.string() + " is damaged: " + manifest.error().message());
    if (manifest->format != BackupManifest::kFormat) {
        return Error(Kind::invalid, file.string() + " has format " + std::to_string(manifest->format) +
                                        "; this program reads " + std::to_string(BackupManifest::kFormat));
    }
    for (const auto& database : manifest->databases) {
        if (!stays_inside(database.file))
            return Error(Kind::invalid, file.string() + ": '" + database.file + "' is no file of the backup");
    }
    return std::move(*manifest);
}

} // namespace flotilla::cli
