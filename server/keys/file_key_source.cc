#include "server/keys/file_key_source.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/keys/key_file.h"

namespace ntsd {
namespace {

KeySourceError BadContent(const std::string& path, const KeyFileError& error) {
  return {KeySourceProblem::kBadContent, fmt::format("{}: {}", path, DescribeKeyFileError(error))};
}

std::string DirectoryOf(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

}  // namespace

Expected<std::unique_ptr<KeySource>, KeySourceError> OwnKeyFile::Open(const std::string& path, FileOperations& files) {
  std::unique_ptr<OwnKeyFile> source(new OwnKeyFile(path, files));
  if (auto error = source->store_.Lock()) return Unexpected(std::move(*error));
  return source;
}

Expected<StoredRing, KeySourceError> OwnKeyFile::Load() {
  Expected<KeyStore::Text, KeySourceError> text = store_.Read();
  if (!text) return Unexpected(std::move(text.error()));
  Expected<ParsedKeyFile, KeyFileError> parsed = ParseKeyFile(text->text, text->written);
  if (!parsed) {
    store_.Disown();
    return Unexpected(BadContent(store_.path(), parsed.error()));
  }
  if (parsed->format == KeyFileFormat::kChrony) {
    store_.Disown();
    return Unexpected(KeySourceError{
        KeySourceProblem::kBadContent,
        fmt::format("{} is chrony's: follow it (keys.source = \"follow\"), or name another file and import this one",
                    store_.path())});
  }
  return std::move(parsed->ring);
}

std::optional<KeySourceError> OwnKeyFile::Store(const StoredRing& ring) { return store_.Replace(WriteKeyFile(ring)); }

FollowedKeyFile::FollowedKeyFile(const std::string& path, FileOperations& files)
    : store_(path, KeyFileOwnership::kTheirs, files), watch_(DirectoryOf(path)) {}

Expected<StoredRing, KeySourceError> FollowedKeyFile::Load() {
  Expected<KeyStore::Text, KeySourceError> text = store_.Read();
  if (!text) return Unexpected(std::move(text.error()));
  Expected<ParsedKeyFile, KeyFileError> parsed = ParseKeyFile(text->text, text->written);
  if (!parsed) return Unexpected(BadContent(store_.path(), parsed.error()));
  // An ntsd that keeps this file would never write it as chrony does.
  if (parsed->format == KeyFileFormat::kChrony && store_.IsKeptByAnother()) {
    return Unexpected(KeySourceError{
        KeySourceProblem::kManyWriters,
        fmt::format("{} is chrony's, but an ntsd keeps it as its own: two programs would overwrite it in turn. "
                    "Give each its own file, and follow one",
                    store_.path())});
  }
  return std::move(parsed->ring);
}

std::optional<KeySourceError> FollowedKeyFile::Store(const StoredRing& /*ring*/) {
  return KeySourceError{KeySourceProblem::kCannotWrite,
                        fmt::format("{} is followed, and never written", store_.path())};
}

bool FollowedKeyFile::HasChanged() {
  // Both are asked, so that the watch is emptied.
  const bool told = watch_.Drain();
  return store_.LooksChanged() || told;
}

}  // namespace ntsd
