// Figures and status, gathered from the counters of all parts.
//
// Threads: any; the parts allow it. Errors: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/limits.h"
#include "server/control/service.h"
#include "server/health.h"
#include "server/main/service.h"
#include "server/metrics/snapshot.h"

namespace ntsd {

// By the ages of ResponderCounters.
using CookieAgeCounts = std::array<std::uint64_t, kKeysPerRingMax + 2>;
// The ages up to `keep`, and those beyond it that have counted: a followed or imported ring may hold older keys.
std::vector<LabelledCount> LabelCookieAges(const CookieAgeCounts& counts, std::size_t keep);
MetricsSnapshot TakeSnapshot(const Service::View& view);
// Rates are the caller's to fill in: they need two looks.
StatusReport MakeStatus(const Service::View& view);
ClientsReport MakeClients(const Service::View& view, ClientOrder order, std::size_t count);
KeysReport MakeKeysReport(const KeyStatus& status);
// Clock, keys, certificates, workers: fit to serve, and if not, why.
Health CheckHealth(const Service::View& view);

// By which reports call a certificate: its first name.
std::string CertificateName(const ke::CertificateInfo& certificate);
std::int64_t UnixSeconds(UnixTime time);

}  // namespace ntsd
