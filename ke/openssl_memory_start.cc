// Part of a program, not of a library: makes OpenSSL take its memory from openssl_memory.h there.
//
// OpenSSL can only be told before it has allocated anything, and libraries do so while they are loaded: cpp-httplib
// sets up TLS in a constructor. What stands in .preinit_array runs before any constructor (System V ABI,
// "Initialization and Termination Functions"), so it must not need one; where it comes too late all the same, OpenSSL
// uses malloc().
#include "ke/openssl_memory.h"

namespace {

void Start() { ntsd::ke::UseOpensslMemory(); }

[[gnu::section(".preinit_array"), gnu::used]] void (*start)() = Start;

}  // namespace
