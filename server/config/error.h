// What is wrong with a configuration, and where: one value for each mistake.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ntsd {

struct ConfigError {
  enum class Kind {
    kText,         // the configuration says something that it may not: exit status 2
    kEnvironment,  // a file that it names is missing, unreadable or broken: exit status 1, unless --check asked
  };
  Kind kind = Kind::kText;
  std::string source;   // the file, or "--set table.key=value"; empty: no single place
  unsigned line = 0;    // from 1; 0: not a line of a file
  unsigned column = 0;  // from 1
  std::string key;      // "ke[0].timeout"; empty for errors of TOML itself
  std::string problem;  // what was expected and what stands there

  // "/etc/ntsd/ntsd.toml:12:9: ke[0].timeout: expected …"
  std::string ToString() const;

  friend bool operator==(const ConfigError&, const ConfigError&) = default;
};

// Where the value of each key came from; keys that have their default are not in it.
class ConfigOrigins {
 public:
  struct Origin {
    std::string source;
    unsigned line = 0;
    unsigned column = 0;
  };

  explicit ConfigOrigins(std::string file) : file_(std::move(file)) {}
  void Set(std::string key, Origin origin) { origins_.insert_or_assign(std::move(key), std::move(origin)); }
  // An error at `key`, or at the nearest table around it that stands somewhere, or else at the file.
  ConfigError ErrorAt(std::string_view key, std::string problem,
                      ConfigError::Kind kind = ConfigError::Kind::kText) const;

 private:
  std::string file_;
  std::map<std::string, Origin, std::less<>> origins_;
};

}  // namespace ntsd
