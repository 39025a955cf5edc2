#include "server/config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "core/base/nearest_word.h"
#include "server/config/check.h"
#include "server/config/schema.h"
#include "server/config/toml_tree.h"
#include "server/config/values.h"

namespace ntsd {
namespace {

// Takes values out of one table of the file; what is not there keeps its default. Collects every mistake.
class TableReader {
 public:
  TableReader(const TomlNode& table, std::string path, ConfigOrigins& origins, std::vector<ConfigError>& errors)
      : table_(table), path_(std::move(path)), origins_(origins), errors_(errors) {}

  void Text(std::string_view key, std::string& value) {
    Single(key, value, "a text in quotes", [](const TomlNode& node) { return node.Text(); });
  }
  void Texts(std::string_view key, std::vector<std::string>& values) {
    List(key, values, 0, "a text in quotes", [](const TomlNode& node) { return node.Text(); });
  }
  void Flag(std::string_view key, bool& value) {
    Single(key, value, "true or false", [](const TomlNode& node) { return node.Flag(); });
  }
  template <typename Number>
  void Integer(std::string_view key, Number& value, std::int64_t min, std::int64_t max) {
    Single(key, value, fmt::format("a whole number from {} to {}", min, max),
           [&](const TomlNode& node) { return IntegerIn<Number>(node, min, max); });
  }
  template <typename Number>
  void Integers(std::string_view key, std::vector<Number>& values, std::int64_t min, std::int64_t max) {
    List(key, values, 1, fmt::format("a whole number from {} to {}", min, max),
         [&](const TomlNode& node) { return IntegerIn<Number>(node, min, max); });
  }
  void Real(std::string_view key, double& value, double min, double max) {
    Single(key, value, fmt::format("a number from {} to {}", min, max), [&](const TomlNode& node) {
      const std::optional<double> number = node.Real();
      return number && *number >= min && *number <= max ? number : std::nullopt;
    });
  }
  void Time(std::string_view key, Duration& value, Duration min, Duration max) {
    const std::string expected = fmt::format(R"(a duration from "{}" to "{}", a whole number with ms, s, m, h or d)",
                                             FormatDuration(min), FormatDuration(max));
    Single(key, value, expected, [&](const TomlNode& node) {
      const std::optional<Duration> duration = FromText(node, ParseDuration);
      return duration && *duration >= min && *duration <= max ? duration : std::nullopt;
    });
  }
  template <typename Enum>
  void Choice(std::string_view key, Enum& value) {
    std::vector<std::string_view> names;
    for (const Word<Enum>& word : WordsOf(Enum{})) names.push_back(word.name);
    const TomlNode* const node = Find(key);
    if (node == nullptr) return;
    const std::optional<std::string> text = node->Text();
    for (const Word<Enum>& word : WordsOf(Enum{})) {
      if (text == word.name) {
        value = word.value;
        return;
      }
    }
    std::string problem = fmt::format("expected \"{}\", got {}", fmt::join(names, "\" or \""), node->Describe());
    const std::string_view nearest = text ? NearestWord(*text, names) : std::string_view();
    if (!nearest.empty()) problem += fmt::format("; did you mean \"{}\"?", nearest);
    Fail(key, std::move(problem));
  }
  void Aeads(std::string_view key, std::vector<AeadId>& values) {
    List(key, values, 1, "an AEAD number: 15, 17 or 30", [](const TomlNode& node) -> std::optional<AeadId> {
      const std::optional<std::uint16_t> number = IntegerIn<std::uint16_t>(node, 0, 65535);
      return number ? AeadFromNumber(*number) : std::nullopt;
    });
  }
  void Endpoint(std::string_view key, IpEndpoint& value) {
    Single(key, value, R"("ADDRESS:PORT" or "[ADDRESS]:PORT")", EndpointFrom);
  }
  void Endpoint(std::string_view key, std::optional<IpEndpoint>& value) {
    Single(key, value, R"("ADDRESS:PORT", "[ADDRESS]:PORT" or "" for none)",
           [](const TomlNode& node) -> std::optional<std::optional<IpEndpoint>> {
             if (node.Text() == "") return std::optional<IpEndpoint>();
             const std::optional<IpEndpoint> endpoint = EndpointFrom(node);
             if (!endpoint) return std::nullopt;
             return endpoint;
           });
  }
  void Endpoints(std::string_view key, std::vector<IpEndpoint>& values) {
    List(key, values, 1, R"("ADDRESS:PORT" or "[ADDRESS]:PORT")", EndpointFrom);
  }
  void Prefixes(std::string_view key, std::vector<IpPrefix>& values) {
    List(key, values, 0, R"(a prefix such as "192.0.2.0/24" or "2001:db8::/32", with no bits past its length)",
         [](const TomlNode& node) { return FromText(node, IpPrefix::Parse); });
  }
  void Workers(std::string_view key, WorkerPlan& value) {
    Single(key, value, R"("auto", a number of threads from 1 to 1024, or a list of CPUs such as "0-3,8")",
           [](const TomlNode& node) -> std::optional<WorkerPlan> {
             if (const auto count = IntegerIn<std::uint32_t>(node, 1, kCpuCountMax)) {
               return WorkerPlan{WorkerPlan::Kind::kCount, *count, {}};
             }
             if (node.Text() == "auto") return WorkerPlan{};
             std::optional<std::vector<unsigned>> cpus = FromText(node, ParseCpuList);
             if (!cpus) return std::nullopt;
             return WorkerPlan{WorkerPlan::Kind::kCpus, 0, *std::move(cpus)};
           });
  }
  void Port(std::string_view key, std::optional<std::uint16_t>& value) {
    Single(key, value, R"("auto" or a port from 1 to 65535)",
           [](const TomlNode& node) -> std::optional<std::optional<std::uint16_t>> {
             if (node.Text() == "auto") return std::optional<std::uint16_t>();
             const auto port = IntegerIn<std::uint16_t>(node, 1, 65535);
             if (!port) return std::nullopt;
             return port;
           });
  }
  template <typename Struct>
  void Table(std::string_view key, Struct& value) {
    const TomlNode* const node = Find(key);
    if (node == nullptr) return;
    if (!node->IsTable()) return FailValue(key, "a table", *node);
    ReadTable(*node, PathOf(key), value);
  }
  template <typename Struct>
  void Inline(std::string_view key, Struct& value) {
    Table(key, value);
  }
  template <typename Struct>
  void Tables(std::string_view key, std::vector<Struct>& values) {
    ListOfTables(key, values, 0, fmt::format("a repeated table: write [[{}]]", key));
  }
  template <typename Struct>
  void InlineList(std::string_view key, std::vector<Struct>& values) {
    ListOfTables(key, values, 1, "a list of tables [{ … = …, … }]");
  }

  // To be called last: what no Describe() asked for is a mistake of the operator.
  void RefuseUnknownKeys() {
    for (const TomlNode& member : table_.members()) {
      if (std::find(known_.begin(), known_.end(), member.key()) != known_.end()) continue;
      const std::string_view nearest = NearestWord(member.key(), known_);
      Note(member.key(), member);
      Fail(member.key(), nearest.empty() ? fmt::format("unknown key; known here are {}", fmt::join(known_, ", "))
                                         : fmt::format("unknown key; did you mean {}?", nearest));
    }
  }

 private:
  template <typename Struct>
  void ListOfTables(std::string_view key, std::vector<Struct>& values, std::size_t size_min,
                    std::string_view expected) {
    const TomlNode* const node = Find(key);
    if (node == nullptr) return;
    if (!node->IsList()) return FailValue(key, expected, *node);
    values.clear();
    for (const TomlNode& element : node->elements()) {
      const std::string element_key = fmt::format("{}[{}]", key, values.size());
      Note(element_key, element);
      values.emplace_back();
      if (element.IsTable()) {
        ReadTable(element, PathOf(element_key), values.back());
      } else {
        FailValue(element_key, "a table", element);
      }
    }
    if (values.size() < size_min) Fail(key, "expected at least one, got an empty list");
  }

  template <typename Number>
  static std::optional<Number> IntegerIn(const TomlNode& node, std::int64_t min, std::int64_t max) {
    const std::optional<std::int64_t> number = node.Integer();
    if (!number || *number < min || *number > max) return std::nullopt;
    return static_cast<Number>(*number);
  }
  template <typename Parse>
  static auto FromText(const TomlNode& node, Parse parse) -> decltype(parse(std::string_view())) {
    const std::optional<std::string> text = node.Text();
    if (!text) return std::nullopt;
    return parse(*text);
  }
  static std::optional<IpEndpoint> EndpointFrom(const TomlNode& node) {
    const std::optional<IpEndpoint> endpoint = FromText(node, IpEndpoint::Parse);
    return endpoint && endpoint->port != 0 ? endpoint : std::nullopt;
  }

  template <typename Value, typename Parse>
  void Single(std::string_view key, Value& value, std::string_view expected, Parse parse) {
    const TomlNode* const node = Find(key);
    if (node == nullptr) return;
    std::optional<Value> parsed = parse(*node);
    if (!parsed) return FailValue(key, expected, *node);
    value = *std::move(parsed);
  }
  template <typename Value, typename Parse>
  void List(std::string_view key, std::vector<Value>& values, std::size_t size_min, std::string_view expected,
            Parse parse) {
    const TomlNode* const node = Find(key);
    if (node == nullptr) return;
    if (!node->IsList()) return FailValue(key, fmt::format("a list [ … ] of values, each {}", expected), *node);
    values.clear();
    for (std::size_t i = 0; i < node->elements().size(); ++i) {
      const TomlNode& element = node->elements()[i];
      const std::string element_key = fmt::format("{}[{}]", key, i);
      Note(element_key, element);
      std::optional<Value> parsed = parse(element);
      if (!parsed) {
        FailValue(element_key, expected, element);
      } else if (std::find(values.begin(), values.end(), *parsed) != values.end()) {
        Fail(element_key, fmt::format("{} stands in this list twice", element.Describe()));
      } else {
        values.push_back(*std::move(parsed));
      }
    }
    if (node->elements().size() < size_min) Fail(key, "expected at least one value, got an empty list");
  }
  template <typename Struct>
  void ReadTable(const TomlNode& table, std::string path, Struct& value) {
    TableReader reader(table, std::move(path), origins_, errors_);
    Describe(reader, value);
    reader.RefuseUnknownKeys();
  }

  std::string PathOf(std::string_view key) const {
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  }
  const TomlNode* Find(std::string_view key) {
    known_.push_back(key);
    const TomlNode* const node = table_.Member(key);
    if (node != nullptr) Note(key, *node);
    return node;
  }
  void Note(std::string_view key, const TomlNode& node) {
    if (!node.source().empty()) origins_.Set(PathOf(key), {node.source(), node.line(), node.column()});
  }
  void Fail(std::string_view key, std::string problem) {
    errors_.push_back(origins_.ErrorAt(PathOf(key), std::move(problem)));
  }
  void FailValue(std::string_view key, std::string_view expected, const TomlNode& node) {
    Fail(key, fmt::format("expected {}, got {}", expected, node.Describe()));
  }

  const TomlNode& table_;
  std::string path_;
  ConfigOrigins& origins_;
  std::vector<ConfigError>& errors_;
  std::vector<std::string_view> known_;
};

Expected<std::string, ConfigError> ReadWholeFile(const std::string& path) {
  const auto failure = [&](std::string problem) {
    return Unexpected(ConfigError{ConfigError::Kind::kEnvironment, path, 0, 0, "", std::move(problem)});
  };
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(fmt::format("cannot open: {}", std::generic_category().message(errno)));
  std::string text(kConfigFileSizeMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A directory opens like a file and fails only here.
  if (file.bad() || (file.fail() && !file.eof())) return failure("cannot be read as a file");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kConfigFileSizeMax) return failure(fmt::format("larger than {} octets", kConfigFileSizeMax));
  return text;
}

// In the order in which an operator goes through them: down the file, then what stands nowhere.
void SortByPlace(std::vector<ConfigError>& errors) {
  std::stable_sort(errors.begin(), errors.end(), [](const ConfigError& a, const ConfigError& b) {
    if ((a.line == 0) != (b.line == 0)) return b.line == 0;
    return a.line != b.line ? a.line < b.line : a.column < b.column;
  });
}

}  // namespace

LoadResult LoadConfig(const std::string& path, std::span<const std::string> overrides) {
  const Expected<std::string, ConfigError> text = ReadWholeFile(path);
  if (!text) return Unexpected(std::vector<ConfigError>{text.error()});
  return ParseConfig(*text, path, overrides);
}

LoadResult ParseConfig(std::string_view text, const std::string& name, std::span<const std::string> overrides) {
  const Expected<TomlNode, std::vector<ConfigError>> tree = ParseToml(text, name, overrides);
  if (!tree) return Unexpected(tree.error());

  LoadedConfig loaded{{}, ConfigOrigins(name)};
  std::vector<ConfigError> errors;
  TableReader reader(*tree, "", loaded.origins, errors);
  Describe(reader, loaded.config);
  reader.RefuseUnknownKeys();

  for (KeConfig& ke : loaded.config.ke) {
    // RFC 8915 §4.1.5: a server always knows AEAD 15.
    if (std::find(ke.aeads.begin(), ke.aeads.end(), AeadId::kAesSivCmac256) == ke.aeads.end()) {
      ke.aeads.push_back(AeadId::kAesSivCmac256);
    }
  }
  // Values that could not be read still have their defaults, which would cause misleading complaints.
  if (errors.empty()) errors = CheckConfig(loaded.config, loaded.origins);
  if (errors.empty()) return loaded;
  SortByPlace(errors);
  return Unexpected(std::move(errors));
}

bool HasTextError(std::span<const ConfigError> errors) {
  return std::any_of(errors.begin(), errors.end(),
                     [](const ConfigError& error) { return error.kind == ConfigError::Kind::kText; });
}

}  // namespace ntsd
