#!/usr/bin/env bash
# Runs one fuzz target with its seeds, its options and what it has found before: tests/fuzz/one.sh NAME [LIBFUZZER-OPTION…]
#
# Finds are kept in build/fuzz/found/fuzz_NAME, a crash as build/fuzz/crash-fuzz_NAME-…. Needs `cmake --build --preset fuzz`.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
name=$1
shift
found=$root/build/fuzz/found/fuzz_$name
seeds=$root/tests/fuzz/corpus/$name
mkdir -p "$found" "$seeds"

# What only makes a report easier to read costs half of the time of targets that allocate: the crash's own file, run alone, tells
# the same with every frame.
export ASAN_OPTIONS=${ASAN_OPTIONS:-strict_string_checks=1}:malloc_context_size=2:quarantine_size_mb=16
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

options=()
if [[ -e $seeds.options ]]; then mapfile -t options < <(grep '^-' "$seeds.options"); fi
exec "$root/build/fuzz/fuzz/fuzz_$name" -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
  -artifact_prefix="$root/build/fuzz/crash-fuzz_$name-" "${options[@]}" "$@" "$found" "$seeds"
