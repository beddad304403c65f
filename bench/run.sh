#!/usr/bin/env bash
# Measures assay beside other engines on this machine, and prints every figure of docs/performance.md:
#
#   bench/run.sh [compare|accuracy|start|idle|soak]...      (all five without an argument)
#
# Takes about eight minutes, as root, best on a quiet machine. What is not there is listed as not measured:
#
#   bubblewrap, runc   apt-get install bubblewrap runc
#   docker             a running daemon; DOCKER_HOST names one that is not at the usual place. A daemon of its own, without
#                      touching the host's network:
#                        dockerd --data-root DIR/data --exec-root DIR/exec --pidfile DIR/pid -H unix://DIR/sock \
#                                --iptables=false --ip6tables=false --bridge=none &
#   go-judge           GO_JUDGE_URL=http://127.0.0.1:5050, started by the caller
#
# ROUNDS (20), THROUGHPUT (1s), CALLERS (4), READINGS (30), STARTS (20), RUNS (20000) and IDLE (10s) change how much is measured.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/go.sh
. "$root/scripts/go.sh"

all=(compare accuracy start idle soak)
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=("${all[@]}")
for part in "${parts[@]}"; do
	case " ${all[*]} " in
	*" $part "*) ;;
	*)
		say "There is no part $part; the parts are: ${all[*]}"
		exit 2
		;;
	esac
done
find_go || {
	say "Go $GO_LANGUAGE or newer is missing; ./run.sh installs it."
	exit 1
}

# Slots are other users and must be able to enter what is below. Compiled programs and run folders are best on a tmpfs.
temp=$(mktemp -d -p /run assay-bench-XXXXXX)
cleanup() { rm -rf "$temp"; }
trap cleanup EXIT
trap 'exit 130' INT TERM
chmod 711 "$temp"
mkdir -m 711 "$temp/run" "$temp/start" "$temp/hand" "$temp/soak" "$temp/idle"
export TMPDIR=$temp

say "== build"
build() { CGO_ENABLED=0 "$GO" -C "$root" build -trimpath -buildvcs=false -ldflags "-s -w" "$@"; }
build -o "$temp/assay" ./cmd/assay
build -o "$temp/library" ./bench/latency
build -tags floor -o "$temp/floor" ./bench/latency
for command in compare accuracy start idle soak; do
	build -o "$temp/bench-$command" "./bench/$command"
done
for program in spin touch flood sleep; do
	gcc -O1 -static -Wall -Wextra -o "$temp/$program" "$root/bench/testdata/$program.c"
done

compare() {
	"$temp/bench-compare" -assay "$temp/assay" -library "$temp/library" -floor "$temp/floor" \
		-rounds "${ROUNDS:-20}" -throughput "${THROUGHPUT:-1s}" -callers "${CALLERS:-4}"
}
accuracy() { "$temp/bench-accuracy" -programs "$temp" -run-dir "$temp/run" -runs "${READINGS:-30}"; }
start() { "$temp/bench-start" -run-dir "$temp/start" -folder "$temp/hand" -runs "${STARTS:-20}"; }
idle() { "$temp/bench-idle" -assay "$temp/assay" -run-dir "$temp/idle" -for "${IDLE:-10s}"; }
soak() { "$temp/bench-soak" -programs "$temp" -run-dir "$temp/soak" -runs "${RUNS:-20000}"; }

for part in "${parts[@]}"; do
	say "== $part"
	"$part"
	echo
done
