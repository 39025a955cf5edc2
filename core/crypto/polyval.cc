#include "core/crypto/polyval.h"

#include <algorithm>

#include "core/base/secret.h"

namespace ntsd {
namespace {

// The low 64 bits of a carry-less product. Every fourth bit is kept, so that an ordinary multiplication has room for
// its carries (at most 16 summands meet in one place, and only the last place can overflow, out of the word), which
// are then masked away. Ordinary multiplications take the same time for all operands on the CPUs we know.
std::uint64_t MultiplyLow(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kEveryFourth = 0x1111111111111111;
  std::uint64_t product = 0;
  for (unsigned place = 0; place < 4; ++place) {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < 4; ++i) sum ^= (a & kEveryFourth << i) * (b & kEveryFourth << ((place - i) & 3));
    product |= sum & kEveryFourth << place;
  }
  return product;
}

std::uint64_t ReverseBits(std::uint64_t x) {
  x = (x >> 1 & 0x5555555555555555) | (x & 0x5555555555555555) << 1;
  x = (x >> 2 & 0x3333333333333333) | (x & 0x3333333333333333) << 2;
  x = (x >> 4 & 0x0F0F0F0F0F0F0F0F) | (x & 0x0F0F0F0F0F0F0F0F) << 4;
  return __builtin_bswap64(x);
}

// The high 63 bits of the product are the low ones of the reversed operands.
std::uint64_t MultiplyHigh(std::uint64_t a, std::uint64_t b) {
  return ReverseBits(MultiplyLow(ReverseBits(a), ReverseBits(b))) >> 1;
}

std::uint64_t LoadLittleEndian(const std::uint8_t* octets) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{octets[i]} << (8 * i);
  return value;
}

}  // namespace

Polyval::Polyval(const AesBlock& key) : key_(Load(key)) {}

Polyval::~Polyval() {
  Wipe({reinterpret_cast<std::uint8_t*>(&key_), sizeof(key_)});
  Wipe({reinterpret_cast<std::uint8_t*>(&sum_), sizeof(sum_)});
}

void Polyval::UpdatePadded(ByteView data) {
  while (!data.empty()) {  // ends: every turn takes at least one octet
    const ByteView piece = data.first(std::min(data.size(), kAesBlockSize));
    AesBlock block{};
    std::copy(piece.begin(), piece.end(), block.begin());
    Update(block);
    data = data.subspan(piece.size());
  }
}

void Polyval::Update(const AesBlock& block) {
  const Element element = Load(block);
  sum_ = Dot({sum_.low ^ element.low, sum_.high ^ element.high}, key_);
}

AesBlock Polyval::Sum() const {
  AesBlock block;
  for (std::size_t i = 0; i < 8; ++i) {
    block[i] = static_cast<std::uint8_t>(sum_.low >> (8 * i));
    block[8 + i] = static_cast<std::uint8_t>(sum_.high >> (8 * i));
  }
  return block;
}

Polyval::Element Polyval::Load(const AesBlock& block) {
  return {LoadLittleEndian(block.data()), LoadLittleEndian(block.data() + 8)};
}

// a * b * x^-128 modulo x^128 + x^127 + x^126 + x^121 + 1.
Polyval::Element Polyval::Dot(Element a, Element b) {
  // Karatsuba: three products instead of four.
  const std::uint64_t low0 = MultiplyLow(a.low, b.low), low1 = MultiplyHigh(a.low, b.low);
  const std::uint64_t high0 = MultiplyLow(a.high, b.high), high1 = MultiplyHigh(a.high, b.high);
  const std::uint64_t a_sum = a.low ^ a.high, b_sum = b.low ^ b.high;
  const std::uint64_t middle0 = MultiplyLow(a_sum, b_sum) ^ low0 ^ high0;
  const std::uint64_t middle1 = MultiplyHigh(a_sum, b_sum) ^ low1 ^ high1;
  std::uint64_t words[4] = {low0, low1 ^ middle0, high0 ^ middle1, high1};
  // The polynomial ends in ...0001: adding words[i] times it clears words[i], twice makes x^-128.
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint64_t word = words[i];
    words[i + 1] ^= word << 57 ^ word << 62 ^ word << 63;
    words[i + 2] ^= word ^ word >> 1 ^ word >> 2 ^ word >> 7;
  }
  return {words[2], words[3]};
}

}  // namespace ntsd
