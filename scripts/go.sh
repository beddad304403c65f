# shellcheck shell=bash
# Finds or fetches the Go toolchain; sourced by run.sh and test.sh. Sets GO to the go command.

GO_PINNED=1.26.8 # the same as "toolchain" in go.mod; TestToolchainIsPinnedOnce compares them
GO_LANGUAGE=1.26 # anything from this on will do

# Checksums of the toolchain modules, as `go mod download -json` prints them.
declare -A GO_SUMS=(
	[amd64]=h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=
	[arm64]=h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=
)

say() { printf '%s\n' "$*" >&2; }

# good_go PATH: whether this go command is new enough.
good_go() {
	local have
	[ -x "$1" ] || return 1
	have=$(cd / && GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
	have=${have#go}
	[ "$(printf '%s\n%s\n' "$GO_LANGUAGE" "${have%%[!0-9.]*}" | sort -V | head -n 1)" = "$GO_LANGUAGE" ]
}

# find_go sets GO, or fails.
find_go() {
	local candidate
	for candidate in "$(command -v go || true)" /usr/local/go/bin/go "/usr/local/lib/assay/go-$GO_PINNED/bin/go"; do
		if [ -n "$candidate" ] && good_go "$candidate"; then
			GO=$candidate
			PATH=$(dirname "$GO"):$PATH
			export GO PATH
			return 0
		fi
	done
	return 1
}

# machine prints the processor as Go names it.
machine() {
	case $(dpkg --print-architecture 2>/dev/null || uname -m) in
	amd64 | x86_64) echo amd64 ;;
	arm64 | aarch64) echo arm64 ;;
	*) return 1 ;;
	esac
}

# fetch_go OLD_GO: fetches the pinned toolchain as a module, with an older go command, checks it against the checksum
# above, and installs it. A Go that is there already is left alone.
fetch_go() (
	set -euo pipefail
	old=$1
	if ! arch=$(machine); then
		say "This processor is not supported: assay runs on amd64 and arm64."
		exit 1
	fi
	target=/usr/local/go
	[ ! -e "$target" ] || target=/usr/local/lib/assay/go-$GO_PINNED
	temp=$(mktemp -d)
	trap 'chmod -R u+w "$temp" 2>/dev/null; rm -rf "$temp"' EXIT
	cd "$temp"
	printf 'module fetch\n' >go.mod
	say "Fetching Go $GO_PINNED."
	# The checksum above stands in for the checksum database, which older releases cannot ask about toolchains.
	GOMODCACHE=$temp/cache GOFLAGS=-mod=mod GOTOOLCHAIN=local GOWORK=off GONOSUMDB=golang.org/toolchain GONOSUMCHECK=1 \
		"$old" mod download -json "golang.org/toolchain@v0.0.1-go$GO_PINNED.linux-$arch" >download.json || {
		cat download.json >&2
		exit 1
	}
	field() { sed -n "s/^[[:space:]]*\"$1\": \"\\(.*\\)\",\\{0,1\\}\$/\\1/p" download.json; }
	if [ "$(field Sum)" != "${GO_SUMS[$arch]}" ]; then
		say "The toolchain that was fetched has the checksum $(field Sum), not ${GO_SUMS[$arch]}."
		exit 1
	fi
	tree=$(field Dir)
	chmod -R u+w "$tree"
	# A module holds neither permissions nor nested modules: what the go command itself does after a download.
	chmod 755 "$tree"/bin/* "$tree"/pkg/tool/*/*
	for file in "$tree/src/_go.mod" "$tree/src/cmd/_go.mod"; do
		[ ! -e "$file" ] || cp "$file" "$(dirname "$file")/go.mod"
	done
	mkdir -p "$(dirname "$target")"
	cp -R "$tree" "$target.new.$$"
	chmod -R a+rX "$target.new.$$"
	mv "$target.new.$$" "$target"
)
