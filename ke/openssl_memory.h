// Memory for OpenSSL from lists that each thread keeps: a handshake takes some 730 pieces and gives them all back,
// which was 6 to 7 % of its cost with a general allocator, and is about 4 % so.
//
// Threads: any. A piece may be given back by another thread than took it; it then serves that thread.
// Memory: a thread keeps at most kKeptOctetsMax of each size, but from kKeptPiecesMin to kKeptPiecesMax pieces: below
//         4 MB in all. What is above goes back at once, and the rest when the thread ends. OpenSSL wipes what was
//         secret before it gives it back.
// Errors: as malloc(): nullptr.
#pragma once

#include <cstddef>

namespace ntsd::ke {

inline constexpr std::size_t kKeptOctetsMax = 64 * 1024;
inline constexpr std::size_t kKeptPiecesMin = 8;
inline constexpr std::size_t kKeptPiecesMax = 256;

// False: OpenSSL has allocated something already, and goes on as before.
bool UseOpensslMemory();

// How many pieces this thread keeps, for tests.
std::size_t KeptOpensslPieces();

}  // namespace ntsd::ke
