#!/usr/bin/env bash
# Runs every fuzz target, one after the other, until each has its ten million executions. It can be stopped (also with
# SIGSTOP to its process group) and started again whenever: what each has done stands in build/fuzz/totals.
#
#   setsid nohup nice -n 19 tests/fuzz/long.sh [OPTION…] [TARGET…] >build/fuzz/long.log 2>&1 &
#
#   --executions N   how many for each target (10000000)
#   --turn SECONDS   a target is run in turns of so long; its total is written and its corpus merged between them (300)
#   --totals FILE    where the totals are kept (build/fuzz/totals)
#
# Without names: all targets, in the order of the table in README.md, the quick ones first. A target with a finding is left, the
# others go on, and the exit status is 1.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
built=$(cd "$here/../.." && pwd)/build/fuzz
executions=10000000 turn=300 totals=$built/totals
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --executions) executions=$2; shift ;;
    --turn) turn=$2; shift ;;
    --totals) totals=$2; shift ;;
    -*) echo "long.sh: unknown option $1" >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if [[ ${#targets[@]} == 0 ]]; then
  targets=(ke_request ke_answer reference ntp_answer datagram server_answer metrics aead key_file configuration control)
fi
touch "$totals" || exit 1

Total() { awk -v name="$1" '$1 == name { total = $2 } END { print total + 0 }' "$totals"; }
SetTotal() {
  awk -v name="$1" '$1 != name' "$totals" >"$totals.new"
  echo "$1 $2" >>"$totals.new"
  sort -o "$totals.new" "$totals.new" && mv "$totals.new" "$totals"
}

# What took too long may have been stopped by hand meanwhile: only what is slow by itself is a finding.
IsTimeoutAlone() {
  local artifact
  artifact=$(sed -n 's/.*Test unit written to //p' "$1" | tail -n 1)
  [[ $artifact == *timeout-* ]] && "$built/fuzz/fuzz_$2" -timeout=10 "$artifact" >/dev/null 2>&1 && rm -f "$artifact"
}

# One turn of a target that has `done` executions behind it.
Turn() {
  local name=$1 done=$2 log=$built/long-$1.log status=0 count
  "$here/one.sh" "$name" -runs=$((executions - done)) -max_total_time="$turn" >"$log" 2>&1 || status=$?
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  if [[ $status != 0 ]] && ! IsTimeoutAlone "$log" "$name"; then
    echo "$(date -u '+%H:%M:%S') $name: a finding after $((done + ${count:-0})) executions, see $log"
    return 1
  fi
  SetTotal "$name" $((done + ${count:-0}))
  echo "$(date -u '+%H:%M:%S') $name: $((done + ${count:-0}))"
}

# Only what adds a branch is kept, so that every turn begins soon.
Merge() {
  local found=$built/found/fuzz_$1
  if (($(find "$found" -type f | wc -l) < 1500)); then return; fi
  mkdir -p "$found.merged" || return
  "$built/fuzz/fuzz_$1" -merge=1 -rss_limit_mb=4096 "$found.merged" "$found" >"$built/merge-$1.log" 2>&1 || return
  rm -rf "$found" && mv "$found.merged" "$found"
}

status=0
for name in "${targets[@]}"; do
  # Ends: every turn adds what it ran, and one that ran nothing has failed.
  while done=$(Total "$name") && ((done < executions)); do
    Turn "$name" "$done" || { status=1; break; }
    if (($(Total "$name") == done)); then echo "$name: does not run"; status=1; break; fi
    Merge "$name"
  done
done
exit $status
