// The system calls that key files are read and replaced with, as an argument, so that a test can stop between any two
// of them, or lose what was not yet on the disk.
//
// Threads: the keeper's. Errors: as the system call, -1 and errno.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

#include "core/base/bytes.h"

namespace ntsd {

class FileOperations {
 public:
  virtual ~FileOperations() = default;

  virtual int Open(const std::string& path, int flags, mode_t mode) = 0;
  virtual int Stat(int fd, struct stat* status) = 0;
  // Of the path itself or of what a link there points to.
  virtual int StatPath(const std::string& path, bool follow_links, struct stat* status) = 0;
  virtual ssize_t Read(int fd, ByteSpan target) = 0;
  virtual ssize_t Write(int fd, ByteView octets) = 0;
  virtual int ChangeMode(int fd, mode_t mode) = 0;
  virtual int Sync(int fd) = 0;
  virtual int Close(int fd) = 0;
  virtual int Rename(const std::string& from, const std::string& to) = 0;
  virtual int Unlink(const std::string& path) = 0;
  // An exclusive lock that goes with the descriptor; does not wait.
  virtual int Lock(int fd) = 0;
  virtual uid_t EffectiveUser() = 0;
};

class SystemFileOperations : public FileOperations {
 public:
  int Open(const std::string& path, int flags, mode_t mode) override;
  int Stat(int fd, struct stat* status) override;
  int StatPath(const std::string& path, bool follow_links, struct stat* status) override;
  ssize_t Read(int fd, ByteSpan target) override;
  ssize_t Write(int fd, ByteView octets) override;
  int ChangeMode(int fd, mode_t mode) override;
  int Sync(int fd) override;
  int Close(int fd) override;
  int Rename(const std::string& from, const std::string& to) override;
  int Unlink(const std::string& path) override;
  int Lock(int fd) override;
  uid_t EffectiveUser() override;
};

}  // namespace ntsd
