// Where the networks of a batch stand in their first lines: by one comparison of a whole line where the CPU can.
//
// What it tells is a hint. Other threads change the cells meanwhile by compare-and-swap, and a wide load has no order
// with that and promises nothing about the line as a whole. So whoever uses the hint reads that one cell again by
// itself and compares its tag, and whoever was told of nothing looks again, cell by cell, before it makes a new one.
//
// Threads: functions of their arguments. Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/guard/rate_cell.h"

namespace ntsd {

// No cell of the line carries the tag.
inline constexpr std::uint8_t kNoCell = kRateCellsPerLine;

struct TagSearch {
  const char* name;
  // For each of `count` hashes: the number of the first cell in its first line that carries its tag, or kNoCell. Its
  // line is the one of its lowest bits, among `line_mask` + 1.
  void (*find)(const RateLine* lines, std::uint64_t line_mask, const std::uint64_t* hashes, std::uint8_t* cells,
               std::size_t count);
};

// What this CPU can do, the quickest first; the last one any CPU can.
std::span<const TagSearch> AvailableTagSearches();

}  // namespace ntsd
