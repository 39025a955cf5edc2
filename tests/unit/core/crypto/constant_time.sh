#!/usr/bin/env bash
# Checks that no branch and no address of a backend depends on a secret, with valgrind's memcheck on secrets marked
# undefined, and that the check would notice (R-AEAD-07 asks for it of tags). Usage: constant_time.sh PROGRAM BACKEND. Exit
# status 77: cannot be checked.
set -uo pipefail
program=$1 backend=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! command -v valgrind > /dev/null; then
  echo "skipped: valgrind is not installed"
  exit 77
fi
Check() { valgrind --quiet --error-exitcode=9 --suppressions="$here/verdict.supp" "$program" "$backend"; }

Check
status=$?
if [[ $status -eq 77 ]]; then
  echo "skipped: this CPU (as valgrind shows it) does not have $backend"
  exit 77
fi
if [[ $status -ne 0 ]]; then
  echo "$backend: a branch or an address depends on a secret"
  exit 1
fi
NTSD_LEAK=1 Check > /dev/null 2>&1
if [[ $? -ne 9 ]]; then
  echo "$backend: the check did not notice a branch that depends on a key"
  exit 1
fi
echo "$backend: no branch and no address depends on a secret"
