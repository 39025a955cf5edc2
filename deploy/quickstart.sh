#!/usr/bin/env bash
# From a clean machine to an NTS time server that answers: installs what is missing, builds, starts ntsd on 127.0.0.1 with a
# throw-away certificate, and asks it for authenticated time with our own ntsctl and with a real chronyd.
#
#   deploy/quickstart.sh           keeps serving until Ctrl-C
#   deploy/quickstart.sh --once    stops after the queries; exit status 0 if both got authenticated time, else 1
#
# It runs as root or as an ordinary user (who needs sudo only if packages are missing), leaves the machine's clock and time
# service alone, and takes its files away when it ends.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ke_port=4460 ntp_port=11123 metrics_port=9976
bin=$root/build/release/bin
logs=$root/build/logs
start_seconds=20

once=false
case ${1:-} in
  '') ;;
  --once) once=true ;;
  -h | --help) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed -n 's/^# \{0,1\}//p'; exit 0 ;;
  *) echo "quickstart.sh: unknown option $1; there is only --once" >&2; exit 2 ;;
esac

if [[ -t 1 ]]; then bold=$'\e[1m' good=$'\e[32m' bad=$'\e[31m' plain=$'\e[0m'; else bold='' good='' bad='' plain=''; fi

Head() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
Indent() { sed 's/^/    /'; }
Fail() {
  printf '\n%squickstart failed:%s %s\n' "$bad" "$plain" "$1" >&2
  exit 1
}

state='' ntsd_pid=''
CleanUp() {
  trap '' INT TERM
  if [[ -n $ntsd_pid ]] && kill -TERM "$ntsd_pid" 2>/dev/null; then
    # It drains within seconds; one that does not is ended.
    for _ in $(seq 100); do kill -0 "$ntsd_pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$ntsd_pid" 2>/dev/null || true # it may have ended in this moment
  fi
  if [[ -n $ntsd_pid ]]; then wait "$ntsd_pid" 2>/dev/null || true; fi # only that it has ended counts here
  if [[ -n $state ]]; then rm -rf "$state"; fi
}
trap CleanUp EXIT
trap 'echo; exit 130' INT TERM

# Whether somebody holds a port of this machine: PortIsTaken tcp|udp PORT.
PortIsTaken() {
  local kind=$1 port
  port=$(printf ':%04X' "$2")
  cat "/proc/net/$kind" "/proc/net/${kind}6" 2>/dev/null |
    awk -v port="$port" -v kind="$kind" 'substr($2, length($2) - 4) == port && (kind == "udp" || $4 == "0A") { found = 1 } END { exit !found }'
}

RequirePorts() {
  local taken=()
  if PortIsTaken tcp $ke_port; then taken+=("TCP $ke_port (key establishment)"); fi
  if PortIsTaken udp $ntp_port; then taken+=("UDP $ntp_port (time)"); fi
  if PortIsTaken tcp $metrics_port; then taken+=("TCP $metrics_port (metrics)"); fi
  if [[ ${#taken[@]} == 0 ]]; then return; fi
  Fail "another program holds ${taken[*]}. Is another quickstart running? Stop it and start again."
}

Build() {
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake --preset release "${launcher[@]}" && cmake --build build/release --target ntsd ntsctl
}

# Files of this trial: a folder of its own, whose path any user may walk, owned by the user that ntsd becomes.
MakeState() {
  state=$(mktemp -d /tmp/ntsd-quickstart.XXXXXX)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=localhost' \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' \
    -keyout "$state/key.pem" -out "$state/certificate.pem" 2>"$logs/quickstart-certificate.log" ||
    Fail "openssl could not make a certificate: $(tail -n 1 "$logs/quickstart-certificate.log")"
  cat >"$state/ntsd.toml" <<TOML
[[ntp]]
listen = ["127.0.0.1:$ntp_port"]

[[ke]]
listen = ["127.0.0.1:$ke_port"]
certificates = [{ chain = "$state/certificate.pem", key = "$state/key.pem" }]

[keys]
file = "$state/keys"

[reference]
source = "local"

[limits.ntp]
rate = 0

[limits.ke]
rate = 0

[metrics]
listen = "127.0.0.1:$metrics_port"

[control]
socket = "$state/control.sock"
group = "$group"

[process]
user = "$user"
TOML
  if [[ $(id -u) == 0 ]]; then chown -R "$user:$group" "$state"; fi
}

StartServer() {
  "$bin/ntsd" --config "$state/ntsd.toml" >"$logs/quickstart-ntsd.log" 2>&1 &
  ntsd_pid=$!
  local deadline=$((SECONDS + start_seconds))
  until "$bin/ntsctl" --socket "$state/control.sock" status >/dev/null 2>&1; do
    if ! kill -0 "$ntsd_pid" 2>/dev/null; then
      Indent <"$logs/quickstart-ntsd.log" >&2
      Fail "ntsd did not start; above is what it said"
    fi
    if ((SECONDS > deadline)); then
      Indent <"$logs/quickstart-ntsd.log" >&2
      Fail "ntsd did not answer ntsctl within $start_seconds s; above is what it said"
    fi
    sleep 0.1
  done
}

# Runs a command, shows it and what it prints, and keeps that in $state/shown: Show WORDS-TO-SHOW COMMAND…
Show() {
  local words=$1
  shift
  printf '\n  %s$ %s%s\n' "$bold" "$words" "$plain"
  "$@" 2>&1 | tee "$state/shown" | Indent
}

QueryWithNtsctl() {
  Show "ntsctl query 127.0.0.1 --ke-port $ke_port --ca certificate.pem --count 4" \
    "$bin/ntsctl" query 127.0.0.1 --ke-port $ke_port --ca "$state/certificate.pem" --count 4
}

QueryWithChronyd() {
  Show "chronyd -Q 'server 127.0.0.1 nts iburst' 'ntstrustedcerts certificate.pem'" \
    env LD_LIBRARY_PATH="$(cat "$chrony/.libraries")" "$chrony/usr/sbin/chronyd" -Q -t 10 "user $(id -un)" \
    "server 127.0.0.1 nts ntsport $ke_port iburst" "ntstrustedcerts $state/certificate.pem" \
    'cmdport 0' "pidfile $state/chronyd.pid"
}

# The last word on one query: Verdict STATUS PROGRAM WHAT-SUCCESS-MEANS
Verdict() {
  if [[ $1 == 0 ]]; then
    printf '  %sOK%s      %-8s %s\n' "$good" "$plain" "$2" "$3"
  else
    printf '  %sFAILED%s  %-8s ended with status %s; what ntsd wrote is in build/logs/quickstart-ntsd.log\n' "$bad" "$plain" "$2" "$1"
  fi
}

cd "$root"
mkdir -p "$logs"
RequirePorts

Head "1. What it needs"
{ deploy/packages.sh build && deploy/peers.sh chrony >/dev/null; } 2>&1 | Indent || Fail "the packages above are needed"
chrony=$(deploy/peers.sh chrony)
echo "    chronyd is unpacked below build/peers, not installed"

Head "2. Build (some minutes the first time)"
Build >"$logs/quickstart-build.log" 2>&1 || {
  tail -n 20 "$logs/quickstart-build.log" | Indent >&2
  Fail "the build failed; all of it is in build/logs/quickstart-build.log"
}
echo "    $("$bin/ntsd" --version 2>&1 | head -n 1) in build/release/bin, after $SECONDS s"

# A server that was started as root becomes this user as soon as it has its sockets.
if [[ $(id -u) == 0 ]]; then user=nobody; else user=$(id -un); fi
group=$(id -gn "$user")

Head "3. Server"
MakeState
StartServer
cat <<TEXT
    ntsd serves as process $ntsd_pid
      NTS-KE    127.0.0.1:$ke_port   (TCP, where clients get keys and cookies)
      NTP       127.0.0.1:$ntp_port  (UDP, where they get time)
      metrics   http://127.0.0.1:$metrics_port/metrics
    Set for this trial, and not what a public server should have:
      process.user = "$user"; reference.source = "local", so it calls this machine's clock good without asking;
      no rate limits; a certificate that is thrown away, trusted by nobody else.
TEXT

Head "4. Two clients ask for authenticated time"
ntsctl_status=0 chronyd_status=0
QueryWithNtsctl || ntsctl_status=$?
QueryWithChronyd || chronyd_status=$?
offset=$(sed -n 's/.*System clock wrong by \([^ ]*\) seconds.*/\1/p' "$state/shown")
echo
Verdict $ntsctl_status ntsctl "every answer was authenticated"
Verdict $chronyd_status chronyd "got authenticated time, $offset s away from this clock, which it did not touch"

if $once; then
  if [[ $ntsctl_status == 0 && $chronyd_status == 0 ]]; then exit 0; else exit 1; fi
fi

Head "5. Serving until Ctrl-C"
cat <<TEXT
    Look at it from another terminal:
      $bin/ntsctl --socket $state/control.sock status
      $bin/ntsctl query 127.0.0.1 --ke-port $ke_port --ca $state/certificate.pem
    Its configuration is $state/ntsd.toml, its log build/logs/quickstart-ntsd.log.
TEXT
status=0
trap 'echo; echo "    Stopping."; exit 0' INT TERM
wait "$ntsd_pid" || status=$?
ntsd_pid=
Fail "ntsd ended by itself with status $status; the end of its log: $(tail -n 3 "$logs/quickstart-ntsd.log")"
