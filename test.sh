#!/usr/bin/env bash
# Tests assay: ./test.sh [part...], all parts without an argument.
#
#   core       formatting, vet, staticcheck, shellcheck, unit and end-to-end tests with the race detector, short fuzzing
#   hostile    the hostile suite: programs that attack the sandbox, started by root and by somebody who is not
#   languages  every language through every check, with the real binary
#   web        the page, in a real browser
#   vm         driver, probes, hostile suite and languages in emulated machines that have control groups of version 2 only; about
#              ten minutes and 4 GB of memory. VM_CACHE=FOLDER keeps their image (1.5 GB) from call to call
#   docker     assay inside containers: privileged, with the smallest set of flags, and without each of them. DOCKER_CACHE=FOLDER
#              keeps the image (0.5 GB) from call to call
#
# Ends with a line "N passed, N failed". Needs root, for the sandbox and for installing what is missing.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
# shellcheck source=scripts/go.sh
. scripts/go.sh
exec </dev/null

all=(core hostile languages web vm docker)
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

server= # process id of a server that is to be ended with us
# Slots are other users and must be able to enter what is below.
temp=$(mktemp -d)
chmod 711 "$temp"
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	chmod -R u+w "$temp"
	rm -rf "$temp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
export TMPDIR=$temp
counts=$temp/counts
: >"$counts"
# How long each fuzz target runs, on top of its seeds.
fuzz_time=${FUZZ_TIME:-5s}

# step NAME COMMAND...: one check that passes or fails as a whole.
step() {
	local name=$1 log=$temp/step.log
	shift
	say "== $name"
	if "$@" >"$log" 2>&1; then
		echo "1 0" >>"$counts"
	else
		cat "$log"
		echo "FAIL  $name"
		echo "0 1" >>"$counts"
	fi
}

# go_tests NAME FOLDER ARGUMENTS...: go test in a folder, each test counted.
go_tests() {
	local name=$1 folder=$2
	shift 2
	say "== $name"
	# The outcome is in the counts.
	"$GO" test -C "$folder" -json "$@" 2>&1 | counted "$name" || true
}

# counted NAME: counts what `go test -json` prints.
counted() {
	local before
	before=$(wc -l <"$counts")
	"$temp/testcount" "$counts" || true
	if [ "$(wc -l <"$counts")" -eq "$before" ]; then
		echo "FAIL  $1: nothing was counted"
		echo "0 1" >>"$counts"
	fi
}

tool() { "$GO" tool -modfile=tools/go.mod "$@"; }

# apt_need COMMAND PACKAGE
apt_need() {
	command -v "$1" >/dev/null || {
		say "Installing $2."
		apt-get update -q >&2 || true
		DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$2" >&2
	}
}

go_files() { git -c safe.directory="$root" ls-files --cached --others --exclude-standard '*.go'; }

formatted() {
	local files
	files=$(go_files | xargs -r "$GO" tool -modfile=tools/go.mod gofumpt -l)
	[ -z "$files" ] || {
		echo "not formatted with gofumpt:"
		echo "$files"
		return 1
	}
}

# fuzz runs each fuzz target for a short time, on top of its seeds and of what testdata/fuzz keeps.
fuzz() {
	local file target
	go_files | xargs -r grep -l '^func Fuzz' | while read -r file; do
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
			printf '%s %s\n' "./$(dirname "$file")" "$target"
		done
	done >"$temp/targets"
	while read -r package target <&3; do
		step "fuzz $package $target" "$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzz_time" -fuzzminimizetime 5s "$package"
	done 3<"$temp/targets"
}

core() {
	apt_need shellcheck shellcheck
	step gofumpt formatted
	step vet "$GO" vet ./...
	step staticcheck tool staticcheck ./...
	step shellcheck shellcheck -x run.sh test.sh .ci/run scripts/*.sh languages/prepare/*.sh languages/drivers/*.sh bench/*.sh docs/languages/*.sh test/vm/*.sh
	step modules "$GO" mod verify
	go_tests "the test counter" tools ./...
	# Not a pattern: what is in no other part belongs here.
	"$GO" list ./... | grep -v -e '^assay/test/hostile' -e '^assay/test/languages' -e '^assay/test/docker' >"$temp/packages"
	mapfile -t packages <"$temp/packages"
	CGO_ENABLED=1 go_tests "unit and end-to-end tests" . -race -shuffle=on -timeout 15m "${packages[@]}"
	arm64
	fuzz
}

# arm64 builds for that processor, and runs what an emulator of it can run: it passes system calls on to this machine's kernel, but
# it has no namespaces, seccomp, openat2 or new mount calls, so no sandbox can be opened. Nor can it start programs for itself
# without being registered with the kernel, which would change this machine.
arm64() {
	local emulator
	command -v qemu-aarch64-static >/dev/null || apt_need qemu-aarch64 qemu-user
	emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64)
	step "arm64: build" env GOARCH=arm64 CGO_ENABLED=0 "$GO" build ./...
	step "arm64: vet" env GOARCH=arm64 CGO_ENABLED=0 "$GO" vet ./...
	GOARCH=arm64 CGO_ENABLED=0 go_tests "arm64: unit tests, emulated" . -exec "$emulator" -timeout 10m \
		./internal/{fault,config,verdict,sandbox,language,engine,api,cli,web} ./internal/sandbox/linux/{cgroup,seccomp,stub}
	GOARCH=arm64 CGO_ENABLED=0 go_tests "arm64: findings, emulated" . -exec "$emulator" -timeout 10m \
		-run '^(TestAdvice|TestEngine|TestRemedy|TestPodman|TestContainerFindings|TestEffective|FuzzMountinfo|FuzzMapsIDs)$' ./internal/sandbox/linux
}

hostile() { go_tests "hostile suite" . -timeout 30m ./test/hostile/...; }

# docker starts an engine of its own, ends it, and removes what it made.
docker() {
	apt_need dockerd docker.io
	apt_need mmdebstrap mmdebstrap
	ASSAY_TEST_IMAGE_DIR=${DOCKER_CACHE:-} go_tests "inside containers" . -timeout 20m ./test/docker/...
}

# languages has further versions of some languages beside those that run.sh installs.
languages() {
	step "further versions" bin/assay languages install c@clang cpp@clang d@ldc lua@5.1 lua@5.3 javascript@22 typescript@7
	go_tests "languages" . -timeout 40m ./test/languages/...
}

# web tests a copy of the page's folder, so that no packages are left in the tree.
web() {
	local log=$temp/serve.log address page=$temp/web
	apt_need chromium chromium
	mkdir "$page"
	tar -C web --exclude=./node_modules -cf - . | tar -C "$page" -xf -
	step "page: packages" npm --prefix "$page" ci --no-fund --no-audit --no-update-notifier
	step "page: types" npm --prefix "$page" run check
	step "page: unit tests" npm --prefix "$page" test
	step "page: what is embedded is what the sources give" embedded_page
	mkdir -m 711 "$temp/run"
	bin/assay serve --listen 127.0.0.1:0 --run-dir "$temp/run" >"$log" 2>"$log.err" &
	server=$!
	if address=$(ready "$log"); then
		BASE_URL=$address step "page: in a browser" npm --prefix "$page" run e2e
	else
		cat "$log.err"
		step "page: in a browser" false
	fi
	kill -TERM "$server"
	step "page: the server stops in order" wait "$server"
	server=
}

embedded_page() (
	cd "$page"
	npx --no-install vite build --outDir "$temp/dist" --emptyOutDir
	diff -r "$temp/dist" "$root/internal/web/dist"
)

# ready LOG: waits for the server's address and prints it.
ready() {
	local i address
	for ((i = 0; i < 600; i++)); do
		address=$(sed -n 's/^assay is ready: //p' "$1")
		if [ -n "$address" ]; then
			echo "$address"
			return 0
		fi
		kill -0 "$server" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

# The toolchains of all languages are for the part that tests them; the others use these.
toolchains=c,cpp,python,javascript,typescript,java,go,rust,bash
case " ${parts[*]} " in *" languages "*) toolchains=all ;; esac
# vm tests on control groups of version 2 (test/vm, docs/decisions/0007-a-machine-with-cgroup-v2.md).
vm() {
	local image=${VM_CACHE:-$temp/image} job=$temp/job
	apt_need qemu-system-x86_64 qemu-system-x86
	apt_need mmdebstrap mmdebstrap
	apt_need sqfstar squashfs-tools
	apt_need busybox busybox-static
	apt_need cpio cpio
	step "vm: vet" "$GO" vet -tags cgroup2 ./internal/sandbox/linux/...
	step "vm: image" test/vm/image.sh "$image"
	step "vm: test binaries, and the programs of the hostile suite" test/vm/prepare.sh "$job"
	[ "$(tail -n 1 "$counts")" = "1 0" ] || return 0 # it failed, and that was counted
	machine plain 2400
	machine systemd 900
}

# machine JOB SECONDS: boots a machine and counts the tests that it runs.
machine() {
	local name="vm: machine $1" events=$temp/events
	rm -f "$events"
	step "$name" test/vm/boot.sh "$image" "$job" "$1" "$2" "$events"
	sed -n 's/^.*== /      /p' "$temp/step.log"
	touch "$events"
	counted "$name" <"$events"
}

say "== build"
./run.sh --build-only --languages "$toolchains"
find_go
"$GO" build -C tools -o "$temp/testcount" ./testcount
for part in "${parts[@]}"; do
	"$part"
done

awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }' "$counts"
