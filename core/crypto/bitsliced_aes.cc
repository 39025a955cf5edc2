#include "core/crypto/bitsliced_aes.h"

#include <bit>

#include "core/base/check.h"
#include "core/base/secret.h"

namespace ntsd {
namespace {

using Planes = BitslicedAes::Planes;
using Blocks = BitslicedAes::Blocks;

// Plane b holds bit b of all 64 octets. The octet in `row` and `column` of block `n` is bit 16 * row + 4 * column + n:
// so ShiftRows rotates 16-bit pieces and MixColumns rotates whole words.

std::uint64_t LoadWord(const std::uint8_t* octets) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word |= std::uint64_t{octets[i]} << (8 * i);
  return word;
}

void StoreWord(std::uint64_t word, std::uint8_t* octets) {
  for (std::size_t i = 0; i < 4; ++i) octets[i] = static_cast<std::uint8_t>(word >> (8 * i));
}

// Spreads the four octets of a word to the even octets of 64 bits, and back.
std::uint64_t Spread(std::uint64_t word) {
  word = (word | word << 16) & 0x0000FFFF0000FFFF;
  return (word | word << 8) & 0x00FF00FF00FF00FF;
}
std::uint64_t Gather(std::uint64_t spread) {
  spread &= 0x00FF00FF00FF00FF;
  spread = (spread | spread >> 8) & 0x0000FFFF0000FFFF;
  return (spread | spread >> 16) & 0x00000000FFFFFFFF;
}

void ExchangeBits(std::uint64_t& a, std::uint64_t& b, std::uint64_t mask, int distance) {
  const std::uint64_t difference = ((a >> distance) ^ b) & mask;
  b ^= difference;
  a ^= difference << distance;
}

// Transposes the eight 8 x 8 bit matrices that octet j of all eight words make. Its own inverse.
void Transpose(Planes& words) {
  for (std::size_t i = 0; i < 8; i += 2) ExchangeBits(words[i], words[i + 1], 0x5555555555555555, 1);
  for (const std::size_t i : {0U, 1U, 4U, 5U}) ExchangeBits(words[i], words[i + 2], 0x3333333333333333, 2);
  for (std::size_t i = 0; i < 4; ++i) ExchangeBits(words[i], words[i + 4], 0x0F0F0F0F0F0F0F0F, 4);
}

Planes Slice(const Blocks& blocks) {
  Planes planes;
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const std::uint8_t* const block = blocks[i % 4].data();
    const std::size_t column = i / 4;
    planes[i] = Spread(LoadWord(block + 4 * column)) | Spread(LoadWord(block + 4 * (column + 2))) << 8;
  }
  Transpose(planes);
  return planes;
}

void Unslice(Planes planes, Blocks& blocks) {
  Transpose(planes);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    std::uint8_t* const block = blocks[i % 4].data();
    const std::size_t column = i / 4;
    StoreWord(Gather(planes[i]), block + 4 * column);
    StoreWord(Gather(planes[i] >> 8), block + 4 * (column + 2));
  }
}

// The circuit of Boyar and Peralta ("A depth-16 circuit for the AES S-box", 2011), in its 113-gate form.
// There x0 and s0 are the most significant bits.
void SubBytes(Planes& p) {
  const std::uint64_t x0 = p[7], x1 = p[6], x2 = p[5], x3 = p[4], x4 = p[3], x5 = p[2], x6 = p[1], x7 = p[0];
  // Linear: into a tower of fields.
  const std::uint64_t y14 = x3 ^ x5, y13 = x0 ^ x6, y9 = x0 ^ x3, y8 = x0 ^ x5, t0 = x1 ^ x2, y1 = t0 ^ x7;
  const std::uint64_t y4 = y1 ^ x3, y12 = y13 ^ y14, y2 = y1 ^ x0, y5 = y1 ^ x6, y3 = y5 ^ y8, t1 = x4 ^ y12;
  const std::uint64_t y15 = t1 ^ x5, y20 = t1 ^ x1, y6 = y15 ^ x7, y10 = y15 ^ t0, y11 = y20 ^ y9, y7 = x7 ^ y11;
  const std::uint64_t y17 = y10 ^ y11, y19 = y10 ^ y8, y16 = t0 ^ y11, y21 = y13 ^ y16, y18 = x0 ^ y16;
  // Inversion there.
  const std::uint64_t t2 = y12 & y15, t4 = (y3 & y6) ^ t2, t6 = (y4 & x7) ^ t2, t7 = y13 & y16;
  const std::uint64_t t9 = (y5 & y1) ^ t7, t11 = (y2 & y7) ^ t7, t12 = y9 & y11, t14 = (y14 & y17) ^ t12;
  const std::uint64_t t16 = (y8 & y10) ^ t12, t21 = t4 ^ t14 ^ y20, t22 = t6 ^ t16 ^ y19, t23 = t9 ^ t14 ^ y21;
  const std::uint64_t t24 = t11 ^ t16 ^ y18, t25 = t21 ^ t22, t26 = t21 & t23, t27 = t24 ^ t26;
  const std::uint64_t t29 = (t25 & t27) ^ t22, t30 = t23 ^ t24, t31 = t22 ^ t26, t33 = (t31 & t30) ^ t24;
  const std::uint64_t t34 = t23 ^ t33, t35 = t27 ^ t33, t36 = t24 & t35, t37 = t36 ^ t34, t38 = t27 ^ t36;
  const std::uint64_t t40 = t25 ^ (t29 & t38), t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40;
  const std::uint64_t t44 = t33 ^ t37, t45 = t42 ^ t41;
  const std::uint64_t z0 = t44 & y15, z1 = t37 & y6, z2 = t33 & x7, z3 = t43 & y16, z4 = t40 & y1, z5 = t29 & y7;
  const std::uint64_t z6 = t42 & y11, z7 = t45 & y17, z8 = t41 & y10, z9 = t44 & y12, z10 = t37 & y3;
  const std::uint64_t z11 = t33 & y4, z12 = t43 & y13, z13 = t40 & y5, z14 = t29 & y2, z15 = t42 & y9;
  const std::uint64_t z16 = t45 & y14, z17 = t41 & y8;
  // Linear: back, with the affine map of the S-box.
  const std::uint64_t t46 = z15 ^ z16, t47 = z10 ^ z11, t48 = z5 ^ z13, t49 = z9 ^ z10, t50 = z2 ^ z12;
  const std::uint64_t t51 = z2 ^ z5, t52 = z7 ^ z8, t53 = z0 ^ z3, t54 = z6 ^ z7, t55 = z16 ^ z17, t56 = z12 ^ t48;
  const std::uint64_t t57 = t50 ^ t53, t58 = z4 ^ t46, t59 = z3 ^ t54, t60 = t46 ^ t57, t61 = z14 ^ t57;
  const std::uint64_t t62 = t52 ^ t58, t63 = t49 ^ t58, t64 = z4 ^ t59, t65 = t61 ^ t62, t66 = z1 ^ t63;
  const std::uint64_t s3 = t53 ^ t66;
  p[7] = t59 ^ t63;
  p[6] = t64 ^ ~s3;
  p[5] = t55 ^ ~(t64 ^ t65);
  p[4] = s3;
  p[3] = t51 ^ t66;
  p[2] = t47 ^ t65;
  p[1] = t56 ^ ~t62;
  p[0] = t48 ^ ~t60;
}

void ShiftRows(Planes& planes) {
  for (std::uint64_t& plane : planes) {
    const std::uint64_t row0 = plane & 0x000000000000FFFF;
    const std::uint64_t row1 = (plane >> 4 & 0x000000000FFF0000) | (plane << 12 & 0x00000000F0000000);
    const std::uint64_t row2 = (plane >> 8 & 0x000000FF00000000) | (plane << 8 & 0x0000FF0000000000);
    const std::uint64_t row3 = (plane >> 12 & 0x000F000000000000) | (plane << 4 & 0xFFF0000000000000);
    plane = row0 | row1 | row2 | row3;
  }
}

// An octet becomes 2 * (a0 + a1) + a1 + (a2 + a3), where a1 to a3 stand in the rows below it.
void MixColumns(Planes& planes) {
  Planes below, sum;
  for (std::size_t i = 0; i < 8; ++i) {
    below[i] = std::rotr(planes[i], 16);
    sum[i] = planes[i] ^ below[i];
  }
  for (std::size_t i = 0; i < 8; ++i) {
    std::uint64_t doubled = i == 0 ? sum[7] : sum[i - 1];
    if (i == 1 || i == 3 || i == 4) doubled ^= sum[7];  // the field's polynomial, 0x1B
    planes[i] = doubled ^ below[i] ^ std::rotr(sum[i], 32);
  }
}

void AddRoundKey(Planes& planes, const Planes& key) {
  for (std::size_t i = 0; i < 8; ++i) planes[i] ^= key[i];
}

// The S-box on the four octets of a word of the key schedule.
std::array<std::uint8_t, 4> SubWord(const std::array<std::uint8_t, 4>& word) {
  Blocks blocks{};
  for (std::size_t i = 0; i < 4; ++i) blocks[0][i] = word[i];
  Planes planes = Slice(blocks);
  SubBytes(planes);
  Unslice(planes, blocks);
  return {blocks[0][0], blocks[0][1], blocks[0][2], blocks[0][3]};
}

}  // namespace

AesSchedule ExpandAesKey(ByteView key) {
  CHECK(key.size() == 16 || key.size() == 32);
  const std::size_t key_words = key.size() / 4;
  AesSchedule schedule;
  schedule.round_count = static_cast<std::uint32_t>(key_words + 6);
  const auto octet = [&schedule](std::size_t word, std::size_t i) -> std::uint8_t& {
    return schedule.round_keys[word / 4][word % 4 * 4 + i];
  };
  for (std::size_t i = 0; i < key.size(); ++i) octet(i / 4, i % 4) = key[i];
  std::uint8_t round_constant = 1;
  for (std::size_t word = key_words; word < 4 * (schedule.round_count + 1); ++word) {
    std::array<std::uint8_t, 4> next{};
    for (std::size_t i = 0; i < 4; ++i) next[i] = octet(word - 1, i);
    if (word % key_words == 0) {
      next = SubWord({next[1], next[2], next[3], next[0]});
      next[0] ^= round_constant;
      round_constant = static_cast<std::uint8_t>(round_constant << 1 ^ (round_constant >> 7) * 0x1B);
    } else if (key_words == 8 && word % 8 == 4) {
      next = SubWord(next);
    }
    for (std::size_t i = 0; i < 4; ++i) octet(word, i) = octet(word - key_words, i) ^ next[i];
  }
  return schedule;
}

BitslicedAes::BitslicedAes(const AesSchedule& schedule) : round_count_(schedule.round_count) {
  CHECK(round_count_ == 10 || round_count_ == 14);
  for (std::size_t round = 0; round <= round_count_; ++round) {
    const AesBlock& key = schedule.round_keys[round];
    round_keys_[round] = Slice({key, key, key, key});
  }
}

BitslicedAes::~BitslicedAes() { Wipe({reinterpret_cast<std::uint8_t*>(round_keys_.data()), sizeof(round_keys_)}); }

void BitslicedAes::Encrypt(Blocks& blocks) const {
  Planes planes = Slice(blocks);
  AddRoundKey(planes, round_keys_[0]);
  for (std::size_t round = 1; round < round_count_; ++round) {
    SubBytes(planes);
    ShiftRows(planes);
    MixColumns(planes);
    AddRoundKey(planes, round_keys_[round]);
  }
  SubBytes(planes);
  ShiftRows(planes);
  AddRoundKey(planes, round_keys_[round_count_]);
  Unslice(planes, blocks);
}

AesBlock BitslicedAes::Encrypt(const AesBlock& block) const {
  Blocks blocks{block};
  Encrypt(blocks);
  return blocks[0];
}

}  // namespace ntsd
