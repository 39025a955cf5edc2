#include "server/sandbox/file_places.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace ntsd {
namespace {

// As many links as the kernel follows.
constexpr int kLinksMax = 40;

using std::filesystem::path;

void AddOnce(std::vector<std::string>& places, const path& place) {
  const std::string text = place.lexically_normal().string();
  if (text != "/" && std::find(places.begin(), places.end(), text) == places.end()) places.push_back(text);
}

// A name without any directory: the link leads to what lies beside it.
bool IsNeighbour(const path& target) { return !target.has_parent_path() && target != ".." && target != "."; }

}  // namespace

std::vector<std::string> PlacesOf(const std::string& name) {
  std::vector<std::string> places;
  std::error_code error;
  path whole = std::filesystem::absolute(name, error);
  if (error) return places;
  // Ends: each turn follows one link, and the last finds none.
  for (int links = 0; links < kLinksMax; ++links) {
    AddOnce(places, whole.parent_path());
    path walked;
    bool has_followed = false;
    for (auto part = whole.begin(); part != whole.end(); ++part) {
      const path here = walked / *part;
      const path target = std::filesystem::read_symlink(here, error);
      if (error) {
        walked = here;
        continue;
      }
      const bool is_directory = std::next(part) != whole.end();
      if (is_directory && IsNeighbour(target)) AddOnce(places, walked);
      path followed = target.is_absolute() ? target : walked / target;
      for (++part; part != whole.end(); ++part) followed /= *part;
      whole = followed;
      has_followed = true;
      break;
    }
    if (!has_followed) break;
  }
  return places;
}

}  // namespace ntsd
