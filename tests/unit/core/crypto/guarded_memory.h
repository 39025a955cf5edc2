// Memory whose neighbours cannot be touched: one octet read or written too far stops the test. The kernels for wide
// registers are built without sanitizers, so this is what watches them.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "core/base/bytes.h"
#include "core/base/check.h"

namespace ntsd::testing {

// A row of separate pages. Memory: taken once, reused after Reset(), given back on destruction.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t segment_count)
      : page_size_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))), segment_count_(segment_count) {
    void* const memory = mmap(nullptr, MemorySize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memory_ = static_cast<std::uint8_t*>(memory);
    for (std::size_t i = 0; i < segment_count_; ++i) {
      CHECK(mprotect(memory_ + (2 * i + 1) * page_size_, page_size_, PROT_READ | PROT_WRITE) == 0);
    }
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { munmap(memory_, MemorySize()); }

  // `size` octets that end at a page's end or begin at its beginning; at most one page.
  ByteSpan Take(std::size_t size, bool at_end) {
    CHECK(next_ < segment_count_ && size <= page_size_);
    std::uint8_t* const page = memory_ + (2 * next_++ + 1) * page_size_;
    return {at_end ? page + page_size_ - size : page, size};
  }
  void Reset() { next_ = 0; }

 private:
  std::size_t MemorySize() const { return (2 * segment_count_ + 1) * page_size_; }

  std::size_t page_size_;
  std::size_t segment_count_;
  std::size_t next_ = 0;
  std::uint8_t* memory_;
};

}  // namespace ntsd::testing
