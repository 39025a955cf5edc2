// Reading and writing octets in wire order (big endian), without pointer arithmetic.
//
// Memory: both look at memory that the caller owns and keeps alive; neither allocates.
// Errors: going past the end makes ok() false for good; reads then give zeros, writes are ignored.
//         Read or write a whole group, then ask ok() once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ntsd {

using ByteView = std::span<const std::uint8_t>;
using ByteSpan = std::span<std::uint8_t>;

// The next multiple of four: the alignment of everything in NTP and NTS (RFC 7822 §3, RFC 8915 §5.6).
constexpr std::size_t PadToWord(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

  std::uint8_t ReadU8() { return static_cast<std::uint8_t>(ReadInteger(1)); }
  std::uint16_t ReadU16() { return static_cast<std::uint16_t>(ReadInteger(2)); }
  std::uint32_t ReadU32() { return static_cast<std::uint32_t>(ReadInteger(4)); }
  std::uint64_t ReadU64() { return ReadInteger(8); }

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
  std::uint64_t ReadInteger(std::size_t size) {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : ReadBytes(size)) value = value << 8 | octet;
    return value;
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

  void WriteU8(std::uint8_t value) { WriteInteger(value, 1); }
  void WriteU16(std::uint16_t value) { WriteInteger(value, 2); }
  void WriteU32(std::uint32_t value) { WriteInteger(value, 4); }
  void WriteU64(std::uint64_t value) { WriteInteger(value, 8); }
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
  void WriteInteger(std::uint64_t value, std::size_t size) {
    const ByteSpan target = Reserve(size);
    for (std::size_t i = target.size(); i > 0; --i, value >>= 8) target[i - 1] = static_cast<std::uint8_t>(value);
  }

  ByteSpan bytes_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace ntsd
