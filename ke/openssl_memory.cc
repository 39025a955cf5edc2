#include "ke/openssl_memory.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace ntsd::ke {

namespace {

// What stands before each piece, and stays there while it is kept.
struct alignas(16) Header {
  std::size_t size_class = 0;
  std::size_t size = 0;  // of what is too large for a class, header included
};

// The exponent of the greatest power of two that is not above it.
constexpr std::size_t BitsOf(std::size_t size) { return static_cast<std::size_t>(std::bit_width(size)) - 1; }

// Sizes with their header: every multiple of 16 up to 512, then four for each power of two.
constexpr std::size_t kStep = 16;
constexpr std::size_t kSteppedMax = 512;
constexpr std::size_t kSteppedClassCount = kSteppedMax / kStep;
constexpr std::size_t kSizeMax = 32 * 1024;
constexpr std::size_t kClassCount = 1 + kSteppedClassCount + 4 * (BitsOf(kSizeMax) - BitsOf(kSteppedMax));
constexpr std::size_t kNoClass = kClassCount;

constexpr std::size_t ClassOf(std::size_t size) {
  if (size <= kSteppedMax) return (size + kStep - 1) / kStep;
  const std::size_t bits = BitsOf(size - 1);
  return kSteppedClassCount + 1 + 4 * (bits - BitsOf(kSteppedMax)) + ((size - 1) >> (bits - 2) & 3);
}

constexpr std::size_t SizeOf(std::size_t size_class) {
  if (size_class <= kSteppedClassCount) return size_class * kStep;
  const std::size_t above = size_class - kSteppedClassCount - 1;
  return (4 + above % 4 + 1) << (BitsOf(kSteppedMax) - 2 + above / 4);
}

// Sizes between two borders are between them in their class too, because ClassOf() never falls.
constexpr bool ClassesMeetTheirSizes() {
  for (std::size_t i = 1; i < kClassCount; ++i) {
    if (ClassOf(SizeOf(i)) != i || ClassOf(SizeOf(i - 1) + 1) != i) return false;
  }
  return true;
}
static_assert(ClassesMeetTheirSizes() && SizeOf(kClassCount - 1) == kSizeMax);

// Where the pieces of a class begin in a thread's array, and with the next class's: how many there is room for.
constexpr auto kBegins = [] {
  std::array<std::size_t, kClassCount + 1> begins{};
  for (std::size_t i = 1; i < kClassCount; ++i) {
    begins[i + 1] = begins[i] + std::clamp(kKeptOctetsMax / SizeOf(i), kKeptPiecesMin, kKeptPiecesMax);
  }
  return begins;
}();

// Pointers beside each other and not a chain through the pieces, so that to take one does not wait for memory that has
// left the cache. Without a destructor, so that it may still be used while its thread ends.
struct Lists {
  std::array<Header*, kBegins.back()> pieces;
  std::array<std::uint16_t, kClassCount> counts;
  bool is_closed;
};
thread_local constinit Lists lists{};

// Gives everything back when its thread ends; from then on nothing is kept any more.
struct Keeper {
  bool is_there = false;
  ~Keeper() {
    lists.is_closed = true;
    for (std::size_t i = 1; i < kClassCount; ++i) {
      for (; lists.counts[i] > 0; --lists.counts[i]) std::free(lists.pieces[kBegins[i] + lists.counts[i] - 1]);
    }
  }
};
thread_local Keeper keeper;

void* PayloadOf(Header* header) { return header + 1; }
Header* HeaderOf(void* memory) { return static_cast<Header*>(memory) - 1; }

// The way that is rarely taken: nothing is kept, or it is too large to be.
[[gnu::noinline]] void* AllocateAnew(std::size_t size, std::size_t size_class) {
  if (!lists.is_closed) keeper.is_there = true;  // the first use by a thread is what makes its destructor run
  auto* const header = static_cast<Header*>(std::malloc(size_class == kNoClass ? size : SizeOf(size_class)));
  if (header == nullptr) return nullptr;
  *header = {.size_class = size_class, .size = size};
  return PayloadOf(header);
}

void* Allocate(std::size_t wanted, const char* /*file*/, int /*line*/) {
  const std::size_t size = wanted + sizeof(Header);
  if (size < wanted) return nullptr;
  if (size > kSizeMax) return AllocateAnew(size, kNoClass);
  const std::size_t size_class = ClassOf(size);
  if (lists.counts[size_class] == 0) return AllocateAnew(size, size_class);
  return PayloadOf(lists.pieces[kBegins[size_class] + --lists.counts[size_class]]);
}

void Free(void* memory, const char* /*file*/, int /*line*/) {
  if (memory == nullptr) return;
  Header* const header = HeaderOf(memory);
  const std::size_t size_class = header->size_class;
  if (size_class == kNoClass || lists.is_closed) return std::free(header);
  const std::size_t position = kBegins[size_class] + lists.counts[size_class];
  if (position == kBegins[size_class + 1]) return std::free(header);
  lists.pieces[position] = header;
  ++lists.counts[size_class];
}

void* Reallocate(void* memory, std::size_t wanted, const char* file, int line) {
  if (memory == nullptr) return Allocate(wanted, file, line);
  if (wanted == 0) {
    Free(memory, file, line);
    return nullptr;
  }
  const Header* const header = HeaderOf(memory);
  const std::size_t whole = header->size_class == kNoClass ? header->size : SizeOf(header->size_class);
  const std::size_t size = whole - sizeof(Header);
  if (wanted <= size) return memory;
  void* const grown = Allocate(wanted, file, line);
  if (grown == nullptr) return nullptr;
  std::memcpy(grown, memory, size);
  Free(memory, file, line);
  return grown;
}

}  // namespace

bool UseOpensslMemory() { return CRYPTO_set_mem_functions(Allocate, Reallocate, Free) == 1; }

std::size_t KeptOpensslPieces() {
  std::size_t count = 0;
  for (const std::uint16_t kept : lists.counts) count += kept;
  return count;
}

}  // namespace ntsd::ke
