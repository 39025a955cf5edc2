#include "server/config/toml_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#define TOML_EXCEPTIONS 0
// Some of the parser's own assertions stop at text that it goes on to refuse in good order: a mistake in a
// configuration must not stop a debug build.
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>

#include "server/config/toml_text.h"
#include "server/config/values.h"

namespace ntsd {
namespace {

constexpr std::size_t kDescriptionSizeMax = 60;

// One step of "ntp[0].listen": a key and, for repeated tables, which of them.
struct PathStep {
  std::string key;
  std::optional<std::size_t> index;
};

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::optional<std::vector<PathStep>> ParsePath(std::string_view path) {
  std::vector<PathStep> steps;
  // Ends: every turn takes a key and its dot off the path.
  while (true) {
    const auto* const key_end = std::find_if_not(path.begin(), path.end(), IsKeyCharacter);
    PathStep step{std::string(path.begin(), key_end), std::nullopt};
    if (step.key.empty()) return std::nullopt;
    path.remove_prefix(step.key.size());
    if (path.starts_with('[')) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
      if (error != std::errc{} || end == path.data() + path.size() || *end != ']') return std::nullopt;
      step.index = index;
      path.remove_prefix(static_cast<std::size_t>(end + 1 - path.data()));
    }
    steps.push_back(std::move(step));
    if (path.empty()) return steps;
    if (!path.starts_with('.')) return std::nullopt;
    path.remove_prefix(1);
  }
}

}  // namespace

// Where a tree comes from, and the text itself when it has lines.
struct TomlSource {
  const std::string& name;
  const HiddenText* text = nullptr;
};

// Turns toml++'s tree into ours, and puts overrides into ours.
class TomlBuilder {
 public:
  static TomlNode Convert(const toml::node& node, const TomlSource& source) {
    TomlNode::Value value = TomlNode::Other{};
    if (const auto* const text = node.as_string()) {
      value = ShowLetters(text->get());
    } else if (const auto* const integer = node.as_integer()) {
      value = integer->get();
    } else if (const auto* const real = node.as_floating_point()) {
      value = real->get();
    } else if (const auto* const flag = node.as_boolean()) {
      value = flag->get();
    } else if (const auto* const list = node.as_array()) {
      TomlNode::List nodes;
      for (const toml::node& element : *list) nodes.nodes.push_back(Convert(element, source));
      value = std::move(nodes);
    } else if (const auto* const table = node.as_table()) {
      TomlNode::Table nodes;
      for (const auto& [key, member] : *table) {
        nodes.nodes.push_back(Convert(member, source));
        nodes.nodes.back().key_ = ShowLetters(key.str());
      }
      value = std::move(nodes);
    }
    TomlNode converted(std::move(value));
    converted.source_ = source.name;
    if (source.text != nullptr) {
      converted.line_ = node.source().begin.line;
      converted.column_ = source.text->ShownColumn(node.source().begin.line, node.source().begin.column);
    }
    return converted;
  }

  // Puts `text` at `path`. Returns what is wrong, or nothing.
  static std::optional<std::string> Put(TomlNode& root, std::string_view path, std::string_view text,
                                        const std::string& source) {
    const std::optional<std::vector<PathStep>> steps = ParsePath(path);
    if (!steps) return R"(expected table.key=value, as in log.level=debug or 'ntp[0].listen=["0.0.0.0:123"]')";
    TomlNode* node = &root;
    for (std::size_t i = 0; i + 1 < steps->size(); ++i) {
      if (std::optional<std::string> problem = Descend(node, (*steps)[i], source)) return problem;
    }
    const PathStep& last = steps->back();
    if (last.index) return fmt::format("one element of a list cannot be set alone; set the whole of {}", last.key);
    TomlNode& target = MemberOrNew(*node, last.key, TomlNode::Table{}, source);
    target = ValueFrom(text, source);
    target.key_ = last.key;
    return std::nullopt;
  }

 private:
  static std::optional<std::string> Descend(TomlNode*& node, const PathStep& step, const std::string& source) {
    TomlNode::Value empty = TomlNode::Table{};
    if (step.index) empty = TomlNode::List{};
    TomlNode& member = MemberOrNew(*node, step.key, std::move(empty), source);
    node = &member;
    if (step.index) {
      auto* const list = std::get_if<TomlNode::List>(&member.value_);
      if (list == nullptr) return fmt::format("{} is not a repeated table", step.key);
      if (*step.index > list->nodes.size()) {
        return fmt::format("there are {} {} tables; the next one is {}[{}]", list->nodes.size(), step.key, step.key,
                           list->nodes.size());
      }
      if (*step.index == list->nodes.size()) list->nodes.push_back(Convert(toml::table{}, {source}));
      node = &list->nodes[*step.index];
    } else if (member.IsList()) {
      return fmt::format("{} is a repeated table; say which one, as in {}[0]", step.key, step.key);
    }
    if (!node->IsTable()) return fmt::format("{} is not a table", step.key);
    return std::nullopt;
  }

  static TomlNode& MemberOrNew(TomlNode& table, std::string_view key, TomlNode::Value empty,
                               const std::string& source) {
    std::vector<TomlNode>& members = std::get<TomlNode::Table>(table.value_).nodes;
    for (TomlNode& member : members) {
      if (member.key_ == key) return member;
    }
    members.emplace_back(std::move(empty));
    members.back().key_ = key;
    members.back().source_ = source;
    return members.back();
  }

  // TOML if it is that, so that numbers, lists and tables can be given; else the text as it stands, because nobody
  // wants to quote `debug` for a shell.
  static TomlNode ValueFrom(std::string_view text, const std::string& source) {
    const HiddenText hidden(text);
    const toml::parse_result parsed = toml::parse(fmt::format("value = {}", hidden.text()));
    const toml::node* const value = parsed && parsed.table().size() == 1 ? parsed.table().get("value") : nullptr;
    if (value != nullptr) return Convert(*value, {source});
    return Convert(toml::value<std::string>(hidden.text()), {source});
  }
};

std::optional<std::string> TomlNode::Text() const {
  const auto* const text = std::get_if<std::string>(&value_);
  return text == nullptr ? std::nullopt : std::optional(*text);
}

std::optional<std::int64_t> TomlNode::Integer() const {
  const auto* const integer = std::get_if<std::int64_t>(&value_);
  return integer == nullptr ? std::nullopt : std::optional(*integer);
}

std::optional<double> TomlNode::Real() const {
  if (const std::optional<std::int64_t> integer = Integer()) return static_cast<double>(*integer);
  const auto* const real = std::get_if<double>(&value_);
  return real == nullptr ? std::nullopt : std::optional(*real);
}

std::optional<bool> TomlNode::Flag() const {
  const auto* const flag = std::get_if<bool>(&value_);
  return flag == nullptr ? std::nullopt : std::optional(*flag);
}

std::span<const TomlNode> TomlNode::elements() const {
  const auto* const list = std::get_if<List>(&value_);
  return list == nullptr ? std::span<const TomlNode>() : list->nodes;
}

std::span<const TomlNode> TomlNode::members() const {
  const auto* const table = std::get_if<Table>(&value_);
  return table == nullptr ? std::span<const TomlNode>() : table->nodes;
}

const TomlNode* TomlNode::Member(std::string_view key) const {
  for (const TomlNode& member : members()) {
    if (member.key_ == key) return &member;
  }
  return nullptr;
}

std::string TomlNode::Describe() const {
  if (const std::optional<std::string> text = Text()) {
    return text->size() <= kDescriptionSizeMax ? QuoteToml(*text)
                                               : QuoteToml(text->substr(0, kDescriptionSizeMax)) + "…";
  }
  if (const std::optional<std::int64_t> integer = Integer()) return fmt::format("{}", *integer);
  if (const std::optional<double> real = Real()) return fmt::format("{}", *real);
  if (const std::optional<bool> flag = Flag()) return *flag ? "true" : "false";
  if (IsList()) return elements().empty() ? "an empty list" : "a list";
  return IsTable() ? "a table" : "a date or time";
}

static ConfigError BadUtf8(std::string_view text, const std::string& name, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = static_cast<unsigned>(std::count(before.begin(), before.end(), '\n') + 1);
  const HiddenText last_line(before.substr(before.rfind('\n') + 1));  // npos + 1 is 0
  const unsigned column = last_line.ShownColumn(1, static_cast<unsigned>(last_line.text().size() + 1));
  return {ConfigError::Kind::kText, name, line, column, "", "not TOML: expected UTF-8"};
}

Expected<TomlNode, std::vector<ConfigError>> ParseToml(std::string_view text, const std::string& name,
                                                       std::span<const std::string> overrides) {
  if (const std::optional<std::size_t> offset = FindBadUtf8(text)) {
    return Unexpected(std::vector<ConfigError>{BadUtf8(text, name, *offset)});
  }
  const HiddenText hidden(text);
  const toml::parse_result parsed = toml::parse(hidden.text(), name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    const auto [line, column] = error.source().begin;
    return Unexpected(std::vector<ConfigError>{{ConfigError::Kind::kText, name, line, hidden.ShownColumn(line, column),
                                                "", fmt::format("not TOML: {}", ShowLetters(error.description()))}});
  }
  TomlNode root = TomlBuilder::Convert(parsed.table(), {name, &hidden});
  std::vector<ConfigError> errors;
  for (const std::string& override_text : overrides) {
    const std::string source = "--set " + override_text;
    const std::size_t equals = override_text.find('=');
    const std::string path = override_text.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : override_text.substr(equals + 1);
    std::optional<std::string> problem = equals == std::string::npos
                                             ? std::optional<std::string>("expected table.key=value, got no '='")
                                             : TomlBuilder::Put(root, path, value, source);
    if (problem) errors.push_back({ConfigError::Kind::kText, source, 0, 0, "", *std::move(problem)});
  }
  if (!errors.empty()) return Unexpected(std::move(errors));
  return root;
}

}  // namespace ntsd
