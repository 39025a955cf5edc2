// Reading and writing octets in wire order (big endian), without pointer arithmetic.
//
// Memory: both look at memory that the caller owns and keeps alive; neither allocates.
// Errors: going past the end makes ok() false for good; reads then give zeros, writes are ignored.
//         Read or write a whole group, then ask ok() once.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ntsd {

using ByteView = std::span<const std::uint8_t>;
using ByteSpan = std::span<std::uint8_t>;

// The next multiple of four: the alignment of everything in NTP and NTS (RFC 7822 §3, RFC 8915 §5.6).
constexpr std::size_t PadToWord(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// Between big endian and the order of this machine; its own inverse.
template <typename Integer>
constexpr Integer SwapToHost(Integer value) {
  if constexpr (std::endian::native == std::endian::big || sizeof(Integer) == 1) {
    return value;
  } else if constexpr (sizeof(Integer) == 2) {
    return __builtin_bswap16(value);
  } else if constexpr (sizeof(Integer) == 4) {
    return __builtin_bswap32(value);
  } else {
    return __builtin_bswap64(value);
  }
}

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

  std::uint8_t ReadU8() { return ReadInteger<std::uint8_t>(); }
  std::uint16_t ReadU16() { return ReadInteger<std::uint16_t>(); }
  std::uint32_t ReadU32() { return ReadInteger<std::uint32_t>(); }
  std::uint64_t ReadU64() { return ReadInteger<std::uint64_t>(); }

  // The next `size` octets, still in the caller's memory; empty when there are not that many.
  ByteView ReadBytes(std::size_t size) {
    if (!Take(size)) return {};
    return bytes_.subspan(position_ - size, size);
  }
  void Skip(std::size_t size) { Take(size); }

 private:
  bool Take(std::size_t size) {
    if (!ok_ || size > bytes_.size() - position_) {
      ok_ = false;
      return false;
    }
    position_ += size;
    return true;
  }
  template <typename Integer>
  Integer ReadInteger() {
    if (!Take(sizeof(Integer))) return 0;
    Integer value;
    std::memcpy(&value, bytes_.data() + position_ - sizeof(Integer), sizeof(Integer));
    return SwapToHost(value);
  }

  ByteView bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  explicit ByteWriter(ByteSpan bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t size() const { return size_; }
  std::size_t remaining() const { return ok_ ? bytes_.size() - size_ : 0; }
  ByteView written() const { return bytes_.first(size_); }

  void WriteU8(std::uint8_t value) { WriteInteger(value); }
  void WriteU16(std::uint16_t value) { WriteInteger(value); }
  void WriteU32(std::uint32_t value) { WriteInteger(value); }
  void WriteU64(std::uint64_t value) { WriteInteger(value); }
  void WriteBytes(ByteView bytes) {
    const ByteSpan target = Reserve(bytes.size());
    if (!target.empty()) std::memcpy(target.data(), bytes.data(), target.size());
  }
  void WriteZeros(std::size_t size) {
    const ByteSpan target = Reserve(size);
    if (!target.empty()) std::memset(target.data(), 0, target.size());
  }
  // The next `size` octets, for the caller to fill; empty when there is no room.
  ByteSpan Reserve(std::size_t size) {
    if (!ok_ || size > bytes_.size() - size_) {
      ok_ = false;
      return {};
    }
    size_ += size;
    return bytes_.subspan(size_ - size, size);
  }

 private:
  template <typename Integer>
  void WriteInteger(Integer value) {
    if (!ok_ || sizeof(Integer) > bytes_.size() - size_) {
      ok_ = false;
      return;
    }
    const Integer wire = SwapToHost(value);
    std::memcpy(bytes_.data() + size_, &wire, sizeof(Integer));
    size_ += sizeof(Integer);
  }

  ByteSpan bytes_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace ntsd
