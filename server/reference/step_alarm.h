// Wakes the watcher the moment somebody sets the wall clock: a timer that the kernel cancels when that happens.
//
// Threads: belongs to one thread. Memory: one descriptor.
// Errors: where the kernel has no such timer, descriptor() is -1, and the watcher notices steps at its next tick.
#pragma once

namespace ntsd {

class StepAlarm {
 public:
  StepAlarm();
  StepAlarm(const StepAlarm&) = delete;
  StepAlarm& operator=(const StepAlarm&) = delete;
  ~StepAlarm();

  // Readable when the clock was set since the last Rearm(). For poll(2), which ignores -1.
  int descriptor() const { return descriptor_; }
  void Rearm();

 private:
  int descriptor_;
};

}  // namespace ntsd
