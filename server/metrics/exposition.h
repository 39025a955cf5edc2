// The figures as Prometheus reads them.
//
// Threads: a function of its argument. Errors: none.
#pragma once

#include <span>
#include <string>

#include "server/metrics/families.h"

namespace ntsd {

// Text format 0.0.4.
inline constexpr char kExpositionType[] = "text/plain; version=0.0.4; charset=utf-8";
std::string ExpositionText(std::span<const MetricFamily> families);

}  // namespace ntsd
