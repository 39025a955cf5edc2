// The reports of a running ntsd as an operator reads them.
//
// Threads: functions of their arguments.
#pragma once

#include <string>

#include "server/control/service.h"
#include "server/ntsctl/text.h"

namespace ntsd {

std::string StatusText(const StatusReport& status, const Palette& palette);
std::string StatsText(const StatsReport& stats);
std::string HealthText(const Health& health, const Palette& palette);
std::string ClientsText(const ClientsReport& clients);
std::string KeysText(const KeysReport& keys);
std::string ReloadText(const ReloadReport& reload, const Palette& palette);

}  // namespace ntsd
