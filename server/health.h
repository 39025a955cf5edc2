// Whether this server is fit to serve, and if not, why: one value for /healthz, `ntsctl check` and the log.
//
// Threads: a value.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace ntsd {

struct HealthItem {
  std::string name;  // "clock", "keys", "certificate ntp.example.com", "sockets"
  bool is_fit = false;
  std::string detail;  // "synchronized to 192.0.2.1, root distance 12 ms"
};

struct Health {
  std::vector<HealthItem> items;

  bool IsFit() const {
    return std::all_of(items.begin(), items.end(), [](const HealthItem& item) { return item.is_fit; });
  }
};

}  // namespace ntsd
