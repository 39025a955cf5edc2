// The part of the guard that talks to the kernel: rtnetlink.
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <vector>

#include "bench/load/target_guard.h"

namespace ntsd::load {
namespace {

using TakeMessage = std::function<void(const nlmsghdr&)>;

class RouteSocket {
 public:
  RouteSocket() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}
  ~RouteSocket() {
    if (fd_ >= 0) close(fd_);
  }
  RouteSocket(const RouteSocket&) = delete;
  RouteSocket& operator=(const RouteSocket&) = delete;

  // Sends a request and hands over every message of the answer. An empty text: done.
  std::string Ask(nlmsghdr& request, const TakeMessage& take) const {
    if (fd_ < 0 || send(fd_, &request, request.nlmsg_len, 0) < 0) return std::strerror(errno);
    const bool is_dump = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    alignas(nlmsghdr) std::array<std::uint8_t, 65536> buffer;
    // Ends: with the answer to a single question, or with NLMSG_DONE of a list.
    while (true) {
      const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
      if (size < 0) return std::strerror(errno);
      auto left = static_cast<unsigned>(size);
      for (auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
           header = NLMSG_NEXT(header, left)) {
        if (header->nlmsg_type == NLMSG_DONE) return {};
        if (header->nlmsg_type == NLMSG_ERROR) return ErrorText(*header);
        take(*header);
      }
      if (!is_dump) return {};
    }
  }

 private:
  static std::string ErrorText(const nlmsghdr& header) {
    nlmsgerr error{};
    std::memcpy(&error, NLMSG_DATA(&header), sizeof(error));
    return error.error == 0 ? std::string() : std::strerror(-error.error);
  }

  int fd_;
};

struct RouteRequest {
  nlmsghdr header;
  rtmsg route;
  std::array<std::uint8_t, 64> attributes;
};

struct LinkRequest {
  nlmsghdr header;
  ifinfomsg link;
};

// Calls `take` with every attribute behind a message's fixed part.
template <typename Fixed>
void ForEachAttribute(const nlmsghdr& header, const std::function<void(const rtattr&)>& take) {
  auto* attribute = reinterpret_cast<const rtattr*>(reinterpret_cast<const std::uint8_t*>(NLMSG_DATA(&header)) +
                                                    NLMSG_ALIGN(sizeof(Fixed)));
  auto left = static_cast<unsigned>(header.nlmsg_len - NLMSG_LENGTH(sizeof(Fixed)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) take(*attribute);
}

bool LeadsOn(const rtattr& attribute) {
  return attribute.rta_type == RTA_GATEWAY || attribute.rta_type == RTA_VIA || attribute.rta_type == RTA_MULTIPATH;
}

// The route to one address: device index in `device`.
std::string AskForOne(const RouteSocket& socket, const IpAddress& target, RouteFacts& facts, int& device) {
  RouteRequest request{};
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.route.rtm_family = target.is_v4 ? AF_INET : AF_INET6;
  request.route.rtm_dst_len = static_cast<unsigned char>(target.size() * 8);
  auto* const attribute = reinterpret_cast<rtattr*>(request.attributes.data());
  attribute->rta_type = RTA_DST;
  attribute->rta_len = static_cast<unsigned short>(RTA_LENGTH(target.size()));
  std::memcpy(RTA_DATA(attribute), target.octets.data(), target.size());
  request.header.nlmsg_len = static_cast<unsigned>(NLMSG_LENGTH(sizeof(rtmsg)) + RTA_ALIGN(attribute->rta_len));
  return socket.Ask(request.header, [&](const nlmsghdr& header) {
    rtmsg route{};
    std::memcpy(&route, NLMSG_DATA(&header), sizeof(route));
    facts.is_local = route.rtm_type == RTN_LOCAL;
    ForEachAttribute<rtmsg>(header, [&](const rtattr& found) {
      if (LeadsOn(found)) facts.has_gateway = true;
      if (found.rta_type == RTA_OIF) std::memcpy(&device, RTA_DATA(&found), sizeof(device));
    });
  });
}

std::string AskForAll(const RouteSocket& socket, RouteFacts& facts) {
  RouteRequest request{};
  request.header.nlmsg_type = RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.route.rtm_family = AF_UNSPEC;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtmsg));
  return socket.Ask(request.header, [&](const nlmsghdr& header) {
    ForEachAttribute<rtmsg>(header, [&](const rtattr& found) {
      if (LeadsOn(found)) facts.leads_elsewhere = true;
    });
  });
}

std::string AskForDevice(const RouteSocket& socket, int device, RouteFacts& facts) {
  LinkRequest request{};
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
  request.link.ifi_index = device;
  return socket.Ask(request.header, [&](const nlmsghdr& header) {
    ForEachAttribute<ifinfomsg>(header, [&](const rtattr& found) {
      const auto* const data = static_cast<const char*>(RTA_DATA(&found));
      if (found.rta_type == IFLA_IFNAME) facts.device = data;
      if ((found.rta_type & NLA_TYPE_MASK) != IFLA_LINKINFO) return;
      auto left = static_cast<unsigned>(RTA_PAYLOAD(&found));
      for (auto* nested = static_cast<const rtattr*>(RTA_DATA(&found)); RTA_OK(nested, left);
           nested = RTA_NEXT(nested, left)) {
        if (nested->rta_type == IFLA_INFO_KIND) facts.device_kind = static_cast<const char*>(RTA_DATA(nested));
      }
    });
  });
}

}  // namespace

Expected<RouteFacts, std::string> AskForRoute(const IpAddress& target) {
  const RouteSocket socket;
  RouteFacts facts;
  int device = 0;
  if (std::string error = AskForOne(socket, target, facts, device); !error.empty()) {
    return Unexpected("the kernel has no route to it: " + error);
  }
  if (facts.is_local) return facts;
  if (std::string error = AskForAll(socket, facts); !error.empty()) return Unexpected("the routes: " + error);
  if (std::string error = AskForDevice(socket, device, facts); !error.empty())
    return Unexpected("its device: " + error);
  return facts;
}

}  // namespace ntsd::load
