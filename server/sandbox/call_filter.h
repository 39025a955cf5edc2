// Which system calls remain once everything is open and every thread runs (seccomp, seccomp(2)).
//
// The list in call_filter.cc is what serving, reloading and draining need. A call that is not on it fails with EPERM,
// so that a C library which one day tries something new falls back instead of dying; to run a program or to trace a
// process is never an accident here, and ends the process.
//
// Threads: Install() binds all threads of the process at once, from whichever it is called.
// Errors: what the kernel refused, in one line; then nothing is filtered.
#pragma once

#include <cstddef>
#include <string>

#include "core/base/expected.h"

namespace ntsd {

// How many calls remain. no_new_privs must be set before.
Expected<std::size_t, std::string> InstallCallFilter();

// False in builds with a sanitizer, whose own threads and reports need calls that no server needs.
bool IsCallFilterBuilt();

}  // namespace ntsd
