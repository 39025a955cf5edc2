// The one summary of a start: what the log says that this server is and does.
//
// Threads: functions of their arguments. Errors: none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/control/service.h"
#include "server/log.h"

namespace ntsd {

// One field for each thing, so that the whole is one record of the log in both formats.
std::vector<LogField> StartSummary(const StatusReport& status, const Config& config);

// "time.example.com until 2027-02-19 (89 days)"; times in Unix seconds.
std::string CertificateText(const std::string& name, std::int64_t expires_at, std::int64_t now);

}  // namespace ntsd
