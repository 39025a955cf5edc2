#include "server/reference/leap_list.h"

#include <fstream>

namespace ntsd {
namespace {

// At most one octet more than the largest good file, so that a wrong path (a disk, say) does no harm.
std::optional<std::string> ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(kLeapFileSizeMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

bool LeapList::Reload(UnixTime now) {
  if (path_.empty()) return false;
  const auto text = ReadSmallFile(path_);
  if (!text) {
    Report("the file cannot be read");
    return false;
  }
  auto table = ParseLeapFile(*text);
  if (!table) {
    Report(std::string(ToString(table.error())));
    return false;
  }
  Report(table->IsExpired(now) ? "the list has expired; a new one is published twice a year" : "");
  const bool has_changed = !table_ || table_->updated != table->updated || table_->expires != table->expires;
  table_ = *std::move(table);
  return has_changed;
}

void LeapList::Report(std::string problem) {
  if (problem == problem_) return;
  problem_ = std::move(problem);
  if (problem_.empty()) {
    log_.Info("the list of leap seconds can be used again", {{"file", path_}});
  } else {
    log_.Warning("leap seconds come from the source alone", {{"file", path_}, {"because", problem_}});
  }
}

}  // namespace ntsd
