#include "bench/load/target_guard.h"

namespace ntsd::load {

std::optional<std::string> JudgeTarget(const IpAddress& target, const RouteFacts& facts) {
  if (target.IsMulticastOrBroadcast() || target.IsUnspecified()) return "no server has this address";
  if (target.IsLoopback() || facts.is_local) return std::nullopt;
  if (facts.has_gateway) return "it is reached through a gateway";
  if (facts.device_kind != "veth") return "it is reached by " + facts.device + ", which is no veth pair";
  if (facts.leads_elsewhere) return "this network has a way out: a network made for the test has none";
  return std::nullopt;
}

std::string GuardTarget(const IpAddress& target, bool is_own) {
  if (is_own) return {};
  // Loopback is ours whatever the routes say.
  RouteFacts facts;
  if (!target.IsLoopback()) {
    const Expected<RouteFacts, std::string> asked = AskForRoute(target);
    if (!asked) return "refusing to load " + target.ToString() + ": " + asked.error();
    facts = *asked;
  }
  const std::optional<std::string> reason = JudgeTarget(target, facts);
  if (!reason) return {};
  return "refusing to load " + target.ToString() + ": " + *reason +
         ". Load is for loopback and for networks made for it; if the server and the way to it are yours, say "
         "--i-own-this-server";
}

}  // namespace ntsd::load
