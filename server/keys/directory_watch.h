// Tells that something happened in a directory.
//
// The directory is watched and not the file: a file that is replaced, or reached through a link that is exchanged
// (Kubernetes, certbot), is a new one every time.
//
// Threads: one. Errors: where the kernel gives no watch, Descriptor() is -1 and only looking now and then can tell.
#pragma once

#include <string>

namespace ntsd {

class DirectoryWatch {
 public:
  explicit DirectoryWatch(const std::string& directory);
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;
  ~DirectoryWatch();

  // Readable when something happened; -1 without a watch.
  int Descriptor() const { return fd_; }
  // True when something happened since the last call. Never waits.
  bool Drain();

 private:
  int fd_ = -1;
};

}  // namespace ntsd
