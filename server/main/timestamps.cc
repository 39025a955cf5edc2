// Of the service: where its timestamps come from.
#include "server/main/service.h"

namespace ntsd {

// While we may: to set a card up and to open its clock takes privileges.
void Service::OpenCards() {
  if (config_.workers.hardware_timestamps.empty() || placement_.ntp.empty()) return;
  cards_ =
      std::make_unique<CardClocks>(config_.workers.hardware_timestamps, system_cards_, [this](const CardStatus& card) {
        if (card.is_used) {
          log_.Info("stamps of a network card are used", {{"interface", card.interface}, {"clock", card.detail}});
        } else {
          log_.Warning("stamps of a network card are not used, but the kernel's",
                       {{"interface", card.interface}, {"why", card.detail}});
        }
      });
  if (!cards_->HasAny()) return;
  for (const NtpListener& listener : listeners_.ntp) {
    for (const Descriptor& socket : listener.sockets) {
      if (AskForCardStamps(socket.get())) continue;
      log_.Warning("this kernel gives no stamps of network cards", {{"address", listener.address.ToString()}});
      return;
    }
  }
}

void Service::ForgoWhatABenchmarkWants() {
  if (stamps_ == StampsKept::kAll) return;
  log_.Warning("NTSD_STAMPS is set: timestamps are worse than they could be");
  if (stamps_ != StampsKept::kNone) return;
  for (const NtpListener& listener : listeners_.ntp) {
    for (const Descriptor& socket : listener.sockets) ForgoStamps(socket.get());
  }
}

// nullptr: none was found that could be used, so that no datagram need be asked about one.
const CardClocks* Service::CardsInUse() const { return cards_ && cards_->HasAny() ? cards_.get() : nullptr; }

}  // namespace ntsd
