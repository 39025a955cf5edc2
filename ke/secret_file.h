// A small file that may hold secrets: read as a whole, wiped when it goes.
//
// Errors: one line that names the file and what is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/secret.h"

namespace ntsd::ke {

class SecretFile {
 public:
  SecretFile() = default;
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  ~SecretFile() { Wipe(octets_); }

  // An empty text: read. Files of more than a megabyte are refused.
  std::string Read(const std::string& path);

  ByteView octets() const { return octets_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(octets_.data()), octets_.size()}; }

 private:
  std::vector<std::uint8_t> octets_;
};

}  // namespace ntsd::ke
