// An eventfd that ends somebody's waiting.
#pragma once

namespace ntsd {

// Threads: Set() by anyone, also from a signal handler; Clear() by the one who waits.
class WakeEvent {
 public:
  WakeEvent();
  ~WakeEvent();
  WakeEvent(const WakeEvent&) = delete;
  WakeEvent& operator=(const WakeEvent&) = delete;

  int fd() const { return fd_; }  // readable from Set() to Clear()
  void Set() const;
  // True when it was set.
  bool Clear() const;

 private:
  int fd_;
};

}  // namespace ntsd
