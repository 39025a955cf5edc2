// Whether a manual page names what JSON of ours carries.
#pragma once

#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

namespace ntsd::testing {

inline void CollectNames(const nlohmann::json& json, std::set<std::string>& names) {
  if (!json.is_structured()) return;
  for (const auto& [name, value] : json.items()) {
    if (json.is_object()) names.insert(name);
    CollectNames(value, names);
  }
}

// By itself, not as a part of a longer one.
inline bool HasName(const std::string& text, const std::string& name) {
  const auto is_inside = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    if (!is_inside(text[at - 1]) && !is_inside(text[at + name.size()])) return true;
  }
  return false;
}

// The names of members in `json`, at any depth, that the section JSON of the manual page at `path` does not name.
inline std::set<std::string> NamesNotInManual(const std::string& json, const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const std::string manual = text.str().substr(text.str().find(".Sh JSON"));
  std::set<std::string> names;
  CollectNames(nlohmann::json::parse(json), names);
  std::erase_if(names, [&](const std::string& name) { return HasName(manual, name); });
  return names;
}

}  // namespace ntsd::testing
