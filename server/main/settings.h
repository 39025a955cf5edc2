// The configuration, translated for each part of the service.
//
// Threads: functions of their arguments. Errors: none, but of PoolTokensOf(), which reads a file; the configuration was
// checked before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/guard/guard.h"
#include "core/nts/responder.h"
#include "ke/settings.h"
#include "ke/tls_context.h"
#include "server/config/config.h"
#include "server/keys/key_keeper.h"
#include "server/reference/clock_source.h"

namespace ntsd {

// What a benchmark wants to do without, to see what it costs: NTSD_STAMPS in the environment is "unsampled" (no
// departure is asked for) or "none" (nothing is stamped by the kernel either, and all times are readings of the clock).
enum class StampsKept : std::uint8_t { kAll, kUnsampled, kNone };
// Nothing: the environment says something else.
std::optional<StampsKept> StampsOfEnvironment();

// One for each address of each [[ntp]] table, in the order of Listeners::ntp. Their floor of poll intervals is what the
// limits let a client keep; it stays as it was at the start when limits are reloaded.
std::vector<ListenerPolicy> ListenerPolicies(const Config& config);
GuardSettings NtpGuardSettings(const Config& config);
GuardSettings KeGuardSettings(const Config& config);
KeyPolicy KeyPolicyOf(const Config& config);
ReferenceSettings ReferenceSettingsOf(const Config& config);
// `pool_tokens` are the lines of the file that the table names.
ke::Settings KeSettings(const Config& config, const KeConfig& table, std::vector<std::string> pool_tokens);
std::vector<ke::CertificatePair> CertificatePairs(const KeConfig& table);
// Reads the table's file of pool tokens. No file: no pool may ask for anything.
Expected<std::vector<std::string>, std::string> PoolTokensOf(const KeConfig& table);

}  // namespace ntsd
