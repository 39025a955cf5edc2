// TOML as a plain tree of values with their places: the part of toml++ that the configuration needs, in our own words.
//
// Threads: a tree is a value. Errors: mistakes of TOML itself and of --set, each with its place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/expected.h"
#include "server/config/error.h"

namespace ntsd {

class TomlNode {
 public:
  // Dates and times, which no key of ours takes.
  struct Other {};
  struct List {
    std::vector<TomlNode> nodes;
  };
  struct Table {
    std::vector<TomlNode> nodes;  // each with its key
  };
  using Value = std::variant<Other, std::string, std::int64_t, double, bool, List, Table>;

  explicit TomlNode(Value value = Table{}) : value_(std::move(value)) {}

  // The value, if it is of that kind. A whole number is a real one too.
  std::optional<std::string> Text() const;
  std::optional<std::int64_t> Integer() const;
  std::optional<double> Real() const;
  std::optional<bool> Flag() const;
  bool IsList() const { return std::holds_alternative<List>(value_); }
  bool IsTable() const { return std::holds_alternative<Table>(value_); }
  std::span<const TomlNode> elements() const;  // of a list, or nothing
  std::span<const TomlNode> members() const;   // of a table, or nothing
  const TomlNode* Member(std::string_view key) const;
  // For messages: what stands there, shortened.
  std::string Describe() const;

  const std::string& key() const { return key_; }  // inside its table
  const std::string& source() const { return source_; }
  unsigned line() const { return line_; }
  unsigned column() const { return column_; }

 private:
  friend class TomlBuilder;

  Value value_;
  std::string key_;
  std::string source_;
  unsigned line_ = 0;
  unsigned column_ = 0;
};

// The table that `text` says, with each "table.key=value" of `overrides` put in or added in order. `name` is how
// messages call the text; an override is called by what the operator typed.
Expected<TomlNode, std::vector<ConfigError>> ParseToml(std::string_view text, const std::string& name,
                                                       std::span<const std::string> overrides);

}  // namespace ntsd
