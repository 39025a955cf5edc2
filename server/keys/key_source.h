// Where a ring comes from and is stored: a file of our own, a file that somebody else writes, a store that many share.
//
// Threads: all calls by the keeper's thread, but IsFollowed() and Name(), which never change, by any.
// Errors: values with one line for the operator, which names the place and what to do; never key material.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/base/expected.h"
#include "core/keys/stored_ring.h"

namespace ntsd {

enum class KeySourceProblem : std::uint8_t {
  kMissing,          // there is no ring yet
  kUnreadable,       // it cannot be opened or read
  kNotAFile,         // a directory, a device, a link where we want the file itself
  kWrongOwner,       // a file of ours that belongs to somebody else
  kTooOpen,          // others may read or write it
  kBadContent,       // no key file, torn, or not a ring
  kHeldByAnother,    // another process keeps these keys
  kChangedByOthers,  // somebody wrote it since we did; it is not overwritten
  kManyWriters,      // a followed file that more than one program writes
  kCannotWrite,      // it cannot be written: the old ring is there
  kNotSynced,        // the new ring is there, but a power failure may bring the old one back
};
inline constexpr std::size_t kKeySourceProblemCount = 11;

struct KeySourceError {
  KeySourceProblem problem;
  std::string text;
};

class KeySource {
 public:
  virtual ~KeySource() = default;

  // True: others write it, and we only read: nothing here rotates.
  virtual bool IsFollowed() const = 0;
  // What it is, for the log: "/var/lib/ntsd/keys".
  virtual std::string Name() const = 0;

  virtual Expected<StoredRing, KeySourceError> Load() = 0;
  // When it returns without an error, `ring` is stored for good. After an error either the old ring or this one is.
  virtual std::optional<KeySourceError> Store(const StoredRing& ring) = 0;

  // True when another Load() may tell something new. Never waits.
  virtual bool HasChanged() = 0;
  // Becomes readable when HasChanged() should be asked; -1 when only asking now and then can tell.
  virtual int ChangeDescriptor() const = 0;
};

}  // namespace ntsd
