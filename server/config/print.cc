#include "server/config/print.h"

#include <fmt/format.h>

#include <string_view>
#include <type_traits>

#include "server/config/schema.h"
#include "server/config/values.h"

namespace ntsd {
namespace {

// "[1, 2]" from the elements as TOML.
template <typename Element, typename ToText>
std::string ListText(const std::vector<Element>& elements, ToText to_text) {
  std::vector<std::string> texts;
  texts.reserve(elements.size());
  for (const Element& element : elements) texts.push_back(to_text(element));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string WorkersText(const WorkerPlan& plan) {
  switch (plan.kind) {
    case WorkerPlan::Kind::kAuto:
      return "\"auto\"";
    case WorkerPlan::Kind::kCount:
      return fmt::format("{}", plan.count);
    case WorkerPlan::Kind::kCpus:
      return QuoteToml(FormatCpuList(plan.cpus));
  }
  return "";
}

class TableWriter {
 public:
  TableWriter(std::string table, std::vector<ConfigEntry>& entries) : table_(std::move(table)), entries_(entries) {}

  void Text(std::string_view key, const std::string& value) { Add(key, QuoteToml(value)); }
  void Texts(std::string_view key, const std::vector<std::string>& values) { Add(key, ListText(values, QuoteToml)); }
  void Flag(std::string_view key, bool value) { Add(key, value ? "true" : "false"); }
  template <typename Number>
  void Integer(std::string_view key, Number value, std::int64_t, std::int64_t) {
    Add(key, fmt::format("{}", value));
  }
  template <typename Number>
  void Integers(std::string_view key, const std::vector<Number>& values, std::int64_t, std::int64_t) {
    Add(key, ListText(values, [](Number value) { return fmt::format("{}", value); }));
  }
  void Real(std::string_view key, double value, double, double) { Add(key, fmt::format("{}", value)); }
  void Time(std::string_view key, Duration value, Duration, Duration) { Add(key, QuoteToml(FormatDuration(value))); }
  template <typename Enum>
  void Choice(std::string_view key, Enum value) {
    Add(key, QuoteToml(WordFor(value)));
  }
  void Aeads(std::string_view key, const std::vector<AeadId>& values) {
    Add(key, ListText(values, [](AeadId aead) { return fmt::format("{}", AeadNumber(aead)); }));
  }
  void Endpoint(std::string_view key, const IpEndpoint& value) { Add(key, QuoteToml(value.ToString())); }
  void Endpoint(std::string_view key, const std::optional<IpEndpoint>& value) {
    Add(key, value ? QuoteToml(value->ToString()) : "\"\"");
  }
  void Endpoints(std::string_view key, const std::vector<IpEndpoint>& values) { Add(key, ListOfStrings(values)); }
  void Prefixes(std::string_view key, const std::vector<IpPrefix>& values) { Add(key, ListOfStrings(values)); }
  void Workers(std::string_view key, const WorkerPlan& value) { Add(key, WorkersText(value)); }
  void Port(std::string_view key, const std::optional<std::uint16_t>& value) {
    Add(key, value ? fmt::format("{}", *value) : "\"auto\"");
  }
  template <typename Struct>
  void Inline(std::string_view key, const Struct& value) {
    Add(key, InlineText(value));
  }
  template <typename Struct>
  void InlineList(std::string_view key, const std::vector<Struct>& values) {
    Add(key, ListText(values, [](const Struct& value) { return InlineText(value); }));
  }
  template <typename Struct>
  void Table(std::string_view key, const Struct& value) {
    TableWriter inner(table_.empty() ? std::string(key) : fmt::format("{}.{}", table_, key), entries_);
    Describe(inner, value);
  }
  template <typename Struct>
  void Tables(std::string_view key, const std::vector<Struct>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) Table(fmt::format("{}[{}]", key, i), values[i]);
  }

 private:
  template <typename Value>
  static std::string ListOfStrings(const std::vector<Value>& values) {
    return ListText(values, [](const Value& value) { return QuoteToml(value.ToString()); });
  }
  template <typename Struct>
  static std::string InlineText(const Struct& value) {
    std::vector<ConfigEntry> entries;
    TableWriter inner("", entries);
    Describe(inner, value);
    std::vector<std::string> texts;
    for (const ConfigEntry& entry : entries) texts.push_back(fmt::format("{} = {}", entry.key, entry.value));
    return fmt::format("{{ {} }}", fmt::join(texts, ", "));
  }
  void Add(std::string_view key, std::string value) {
    entries_.push_back({table_, std::string(key), std::move(value)});
  }

  std::string table_;
  std::vector<ConfigEntry>& entries_;
};

}  // namespace

std::vector<ConfigEntry> ConfigEntries(const Config& config) {
  std::vector<ConfigEntry> entries;
  TableWriter writer("", entries);
  Describe(writer, config);
  return entries;
}

std::string ConfigToToml(const Config& config) {
  std::string text;
  std::string_view table;
  const std::vector<ConfigEntry> entries = ConfigEntries(config);
  for (const ConfigEntry& entry : entries) {
    if (entry.table != table) {
      table = entry.table;
      const std::size_t index = table.find('[');
      if (!text.empty()) text += '\n';
      text += index == std::string_view::npos ? fmt::format("[{}]\n", table)
                                              : fmt::format("[[{}]]\n", table.substr(0, index));
    }
    text += fmt::format("{} = {}\n", entry.key, entry.value);
  }
  return text;
}

}  // namespace ntsd
