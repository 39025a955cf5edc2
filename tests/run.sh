#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests. The last line of its output is `N passed, N failed`.
#
#   tests/run.sh                    everything that one change needs; under 25 minutes on two cores from nothing
#   tests/run.sh --full             that, and the thread sanitizer, a clang build, clang-tidy, Debian packages, and longer fuzzing
#
# Options narrow it to parts, and add up when several are given:
#   --unit                          unit tests, with the address and undefined-behaviour sanitizers
#   --interop                       whole programs: real peers (tests/interop), conformance, overload, and the system (tests/system)
#   --sanitize                      unit tests under the address sanitizer and under the thread sanitizer
#   --fuzz-seconds N                seconds for each fuzz target (30; --full 60; 0 leaves fuzzing out)
#
# Every step keeps its output in build/logs; a step that fails shows the end of it. ccache is used where it is installed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
logs=$root/build/logs
python=/usr/bin/python3

passed=0 failed=0 skipped=0
want_all=true want_unit=false want_interop=false want_sanitize=false want_full=false
fuzz_seconds=

Usage() { sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'; }

while [[ $# -gt 0 ]]; do
  case $1 in
    --unit) want_unit=true want_all=false ;;
    --interop) want_interop=true want_all=false ;;
    --sanitize) want_sanitize=true want_all=false ;;
    --full) want_full=true ;;
    --fuzz-seconds)
      if ! [[ ${2:-} =~ ^[0-9]+$ ]]; then echo "run.sh: --fuzz-seconds takes a number" >&2; exit 2; fi
      fuzz_seconds=$2
      shift
      ;;
    -h | --help) Usage; exit 0 ;;
    *) echo "run.sh: unknown option $1" >&2; Usage >&2; exit 2 ;;
  esac
  shift
done
if $want_all || $want_full; then want_all=true want_unit=true want_interop=true; fi
if $want_full; then want_sanitize=true; fi
fuzz_seconds=${fuzz_seconds:-$($want_full && echo 60 || echo 30)}

mkdir -p "$logs"
# The unit tests' and the programs' own word on what the sanitizers do when they find something.
export ASAN_OPTIONS=${ASAN_OPTIONS:-strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export PYTHONDONTWRITEBYTECODE=1
# pytest's own place in /tmp carries the user's name, which inside a user namespace is root's.
export PYTEST_DEBUG_TEMPROOT=$root/build/tmp
mkdir -p "$PYTEST_DEBUG_TEMPROOT"

# Step TITLE LOG COMMAND…: runs the command with its output in LOG and says how it went and how long it took. A command that
# knows its cases leaves "passed failed skipped" in counts, and in failures what the failed ones said; any other counts as one.
Step() {
  local title=$1 log=$logs/$2.log status seconds=$SECONDS step_passed step_failed step_skipped
  shift 2
  printf '%-58s' "$title"
  counts= failures=
  "$@" >"$log" 2>&1
  status=$?
  seconds=$((SECONDS - seconds))
  read -r step_passed step_failed step_skipped <<<"${counts:-$((status == 0)) $((status != 0)) 0}"
  # A run that failed without a failed case, a crash of the runner for example, has failed all the same.
  if [[ $status != 0 && $step_failed == 0 ]]; then step_failed=1; fi
  passed=$((passed + step_passed)) failed=$((failed + step_failed)) skipped=$((skipped + step_skipped))
  if [[ $step_failed == 0 ]]; then
    printf 'ok      %4d s  %s\n' "$seconds" "${counts:+$step_passed passed}$([[ $step_skipped == 0 ]] || echo ", $step_skipped skipped")"
    if [[ $failures ]]; then
      echo "    passed only when run again:"
      sed 's/^/    | /' <<<"$failures"
    fi
    if [[ $step_skipped != 0 ]]; then grep -h '^SKIPPED' "$log" | sort -u | head -n 12 | sed 's/^/    /'; fi
    return 0
  fi
  printf 'FAILED  %4d s  %s\n' "$seconds" "${counts:+$step_passed passed, $step_failed failed}"
  if [[ $failures ]]; then
    sed 's/^/    | /' <<<"$failures"
  else
    echo "    the end of build/logs/${log##*/}:"
    tail -n 40 "$log" | sed 's/^/    | /'
  fi
  return 1
}

# Says that a step cannot run here, and why. It counts as skipped.
Skip() {
  printf '%-58sskipped         %s\n' "$1" "$2"
  skipped=$((skipped + 1))
}

# The counts of a JUnit file, which both ctest and pytest write, as "passed failed skipped"; and what its failed cases said.
ReadCounts() {
  local told
  told=$("$python" - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree

tree = xml.etree.ElementTree.parse(sys.argv[1])
suites = list(tree.iter("testsuite"))
total, bad, skipped = (
    sum(int(suite.get(name, 0)) for suite in suites for name in names)
    for names in (("tests",), ("failures", "errors"), ("skipped", "disabled"))
)
print(total - bad - skipped, bad, skipped)
for case in tree.iter("testcase"):
    if case.find("failure") is None and case.find("error") is None:
        continue
    print(case.get("classname"), case.get("name"))
    said = "\n".join(part.text or "" for part in case if part.tag in ("failure", "error", "system-out"))
    print("\n".join("  " + line[:200] for line in said.splitlines()[-25:]))
PYTHON
  )
  counts=${told%%$'\n'*}
  failures=$(sed 1d <<<"$told" | head -n 120)
}

launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi

# The newest clang is not always the one of the presets: any release that packages.sh installs will do.
LlvmTool() {
  local version
  for version in 14 19 18 17; do
    if command -v "$1-$version" >/dev/null; then command -v "$1-$version"; return; fi
  done
  return 1
}

# Build PRESET [TARGET…]
Build() {
  local preset=$1 compiler=()
  shift
  case $preset in asan | clang | fuzz) compiler=(-DCMAKE_CXX_COMPILER="$(LlvmTool clang++)") ;; esac
  cmake --preset "$preset" "${launcher[@]}" "${compiler[@]}" && cmake --build "build/$preset" ${1:+--target "$@"}
}

# UnitTests PRESET [CTEST-ARGUMENT…]: two failures at most are tried once more, alone, since a busy machine can starve a test
# that waits for a socket. Which ones needed it, and what they said first, is told.
UnitTests() {
  local preset=$1 junit=$logs/unit-$1.xml status
  shift
  rm -f "$junit"
  ctest --test-dir "build/$preset" --no-tests=error --output-on-failure -j "$(nproc)" --output-junit "$junit" "$@"
  status=$?
  if [[ ! -e $junit ]]; then return $status; fi
  ReadCounts "$junit"
  local case_passed case_failed case_skipped
  read -r case_passed case_failed case_skipped <<<"$counts"
  if ((case_failed == 0 || case_failed > 2)); then return $status; fi
  if ctest --test-dir "build/$preset" --rerun-failed --output-on-failure; then
    counts="$((case_passed + case_failed)) 0 $case_skipped"
    status=0
  fi
  return $status
}

# Programs NAME PRESET [OPTION…] PATH…: pytest over these paths with the programs of that preset.
Programs() {
  local junit=$logs/$1.xml preset=$2 status enter=()
  shift 2
  # The tests make network namespaces: as an ordinary user, inside a user namespace where the system allows one. Where it does
  # not, they skip themselves and say so.
  if [[ $(id -u) != 0 ]] && unshare --user --map-root-user --net true 2>/dev/null; then enter=(unshare --user --map-root-user --net); fi
  rm -f "$junit"
  NTSD_BUILD=$preset "${enter[@]}" "$python" -m pytest -p no:cacheprovider -q -rs --junitxml="$junit" "$@"
  status=$?
  if [[ -e $junit ]]; then ReadCounts "$junit"; fi
  return $status
}

SourceFiles() { git ls-files '*.cc' '*.h' 2>/dev/null | grep . || find core ke server bench tests -name '*.cc' -o -name '*.h'; }

FormatCheck() { SourceFiles | xargs clang-format-14 --dry-run -Werror; }

Tidy() {
  local tidy
  tidy=$(LlvmTool clang-tidy) || return 1
  SourceFiles | grep '\.cc$' | xargs -P "$(nproc)" -n 4 "$tidy" -p build/clang --quiet
}

# Fuzz targets run as many at a time as there are CPUs, and each has its step when it ends.
fuzz_running=()
BeginFuzz() {
  tests/fuzz/one.sh "$1" -max_total_time="$fuzz_seconds" >"$logs/fuzzer-$1.log" 2>&1 &
  fuzz_running+=("$1 $!")
  trap 'kill "${fuzz_running[@]#* }" 2>/dev/null' EXIT
}
EndFuzz() {
  local status=0
  wait "$2" || status=$?
  cat "$logs/fuzzer-$1.log"
  return "$status"
}
EndOldestFuzz() {
  local name=${fuzz_running[0]% *} process=${fuzz_running[0]#* }
  Step "Fuzz $name for $fuzz_seconds s" "fuzz-$name" EndFuzz "$name" "$process"
  fuzz_running=("${fuzz_running[@]:1}")
}

# The fuzz targets are compiled while the tests of the whole system wait for other programs, at the lowest priority.
fuzz_build=
BeginFuzzBuild() {
  if [[ -n $fuzz_build || $fuzz_seconds == 0 ]] || ! $want_all; then return; fi
  (renice -n 19 "$BASHPID" && Build fuzz fuzz_targets) >"$logs/fuzz-compiler.log" 2>&1 &
  fuzz_build=$!
  trap 'kill "$fuzz_build" 2>/dev/null' EXIT
}
EndFuzzBuild() {
  local status=0
  wait "$fuzz_build" || status=$?
  trap - EXIT
  cat "$logs/fuzz-compiler.log"
  return "$status"
}

FuzzTargets() { find build/fuzz -type f -executable -name 'fuzz_*' -not -path '*/CMakeFiles/*' | sort; }

Install() { deploy/packages.sh build tests $($want_full && echo browser debian); }
# Tests with peers of another release skip themselves, and say why, where the network has no such release.
Peers() {
  local release
  deploy/peers.sh chrony && deploy/peers.sh ntpsec && deploy/peers.sh libfaketime || return
  deploy/peers.sh prometheus && deploy/peers.sh certbot && deploy/peers.sh pebble || return
  for release in bookworm trixie; do
    if ! grep -q "^VERSION_CODENAME=$release$" /etc/os-release; then deploy/peers.sh "$release" || true; fi # see above
  done
}

Finish() {
  local status=0
  echo
  echo "Whole run: $((SECONDS / 60)) min $((SECONDS % 60)) s; logs in build/logs${1:+; $1}"
  if [[ $skipped != 0 ]]; then echo "$skipped skipped, for the reasons given above"; fi
  if [[ $failed != 0 ]]; then status=1; fi
  echo "$passed passed, $failed failed"
  exit $status
}

echo "Tests of ntsd on $(nproc) CPUs, as $(id -un), $(date -u '+%Y-%m-%d %H:%M UTC')"
Step "Install what is missing" packages Install || Finish "nothing was tested"

if $want_interop; then
  Step "Build release" build-release Build release programs reference_probe && release_built=true || release_built=false
fi
if $want_unit || $want_sanitize; then
  if Step "Build with address and undefined-behaviour sanitizers" build-asan Build asan; then
    Step "Unit tests under these sanitizers" unit-asan UnitTests asan
  fi
fi
if $want_sanitize; then
  if Step "Build with the thread sanitizer" build-tsan Build tsan; then
    Step "Unit tests under the thread sanitizer" unit-tsan UnitTests tsan
  fi
fi
if $want_interop && $release_built; then
  if Step "Unpack the peers" peers Peers; then
    # These wait for other programs' polls most of the time: several files at once.
    Step "Interoperation with real peers, and the sandbox" interop Programs interop release -n 4 --dist loadfile tests/interop tests/system/test_sandbox.py \
      $($want_full && echo tests/system/test_growth.py)
    # Which clients work with which policy of ntsd, as a table.
    sed -n '/^client  /,/^[^a-z]/{/^[a-z]/s/^/    /p}' "$logs/interop.log"
    Step "Conformance: ntsd, chronyd and NTPsec" conformance Programs conformance release tests/conformance
    Step "Overload and abuse" overload Programs overload release tests/overload
  fi
  # The sandbox had its turn; faults and the soak take a minute each.
  system=(tests/system)
  if ! $want_full; then system+=(--ignore=tests/system/test_sandbox.py --ignore=tests/system/test_faults.py --ignore=tests/system/test_soak.py
    --ignore=tests/system/test_keys_lost.py --ignore=tests/system/test_growth.py); fi
  BeginFuzzBuild
  if [[ -x build/asan/bin/ntsd ]] && ($want_unit || $want_sanitize); then
    Step "The whole system, with sanitizers" system Programs system asan "${system[@]}"
  else
    Step "The whole system" system Programs system release "${system[@]}"
  fi
fi
if $want_all; then
  Step "Include rule, house rules, requirements" include-rule Programs include-rule release tests/include_rule_test.py tests/requirements_test.py
  if command -v clang-format-14 >/dev/null; then
    Step "clang-format" clang-format FormatCheck
  else
    Skip "clang-format" "only clang-format 14 lays out the code exactly so"
  fi
fi
if $want_full; then
  if Step "Build with clang" build-clang Build clang; then
    Step "Unit tests, built by clang" unit-clang UnitTests clang
    Step "clang-tidy" clang-tidy Tidy
  fi
  Step "Debian packages" packaging Programs packaging release tests/packaging
fi
if $want_all && [[ $fuzz_seconds != 0 ]]; then
  BeginFuzzBuild
  if Step "Build the fuzz targets" build-fuzz EndFuzzBuild; then
    for target in $(FuzzTargets); do
      if ((${#fuzz_running[@]} >= $(nproc))); then EndOldestFuzz; fi
      BeginFuzz "${target##*/fuzz_}"
    done
    # Ends: each turn takes one away.
    while ((${#fuzz_running[@]} > 0)); do EndOldestFuzz; done
    trap - EXIT
  fi
fi
Finish
