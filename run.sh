#!/usr/bin/env bash
# Installs what assay needs, builds bin/assay, and starts it:
#
#   ./run.sh [--build-only] [-- serve flags]
#
# On a fresh Debian machine this takes some minutes, as root; when everything is there, a second.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/go.sh
. "$root/scripts/go.sh"

usage() {
	say "usage: ./run.sh [--build-only] [-- serve flags]"
	exit 2
}

build_only=false
while [ $# -gt 0 ]; do
	case $1 in
	--build-only) build_only=true ;;
	--)
		shift
		break
		;;
	*) usage ;;
	esac
	shift
done

# missing collects the Debian packages to install.
missing=()

# need FILE PACKAGE...: without FILE, the first PACKAGE that Debian has is missing.
need() {
	local file=$1 package
	shift
	[ ! -e "$file" ] || return 0
	for package in "$@"; do
		if [ $# -eq 1 ] || [ -n "$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^  Candidate: \([^(]\)/\1/p')" ]; then
			missing+=("$package")
			return 0
		fi
	done
	missing+=("$1")
}

# The sandbox shows programs /usr and nothing of home folders, so a toolchain elsewhere on PATH does not count.
look() {
	missing=()
	need /etc/ssl/certs/ca-certificates.crt ca-certificates
	need /usr/bin/git git
	need /bin/bash bash
	need /usr/bin/gcc gcc
	need "/usr/lib/$(uname -m)-linux-gnu/libc.a" libc6-dev
	need /usr/bin/g++ g++
	need /usr/bin/python3 python3
	need /usr/bin/node nodejs
	# Some packages of nodejs bring npm along and conflict with Debian's: look once node is there.
	[ ! -e /usr/bin/node ] || command -v npm >/dev/null || missing+=(npm)
	need /usr/bin/javac default-jdk-headless
	need /usr/bin/rustc rustc-web rustc
	find_go || command -v go >/dev/null || missing+=(golang-go)
}

# npm_missing prints the pinned packages of the language files that are not installed.
npm_missing() {
	local pin name
	sed -n 's/^install: .*npm: \[\([^]]*\)\].*/\1/p' "$root"/languages/*.yaml | tr -d '",' | tr ' ' '\n' | while read -r pin; do
		[ -n "$pin" ] || continue
		name=${pin%@*}
		grep -qs "\"version\": \"${pin##*@}\"" "/usr/local/lib/node_modules/$name/package.json" || echo "$pin"
	done
}

install_packages() {
	local before
	say "Installing: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# A foreign source that cannot be reached must not stop the rest.
	apt-get update -q >&2 || say "apt-get update reported errors; trying with what is known."
	look
	while [ ${#missing[@]} -gt 0 ]; do
		apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
		before="${missing[*]}"
		look
		if [ "${missing[*]-}" = "$before" ]; then
			say "These packages were installed, but what they should bring is not there: $before"
			exit 1
		fi
	done
}

look
mapfile -t pins < <(npm_missing)
if [ "$(id -u)" -ne 0 ]; then
	if [ ${#missing[@]} -gt 0 ] || [ ${#pins[@]} -gt 0 ] || ! find_go; then
		say "Some things are missing and can be installed by root only. Run ./run.sh as root once, or as root:"
		[ ${#missing[@]} -eq 0 ] || say "  apt-get install ${missing[*]}"
		[ ${#pins[@]} -eq 0 ] || say "  npm install -g --prefix /usr/local ${pins[*]}"
		find_go || say "  install Go $GO_LANGUAGE or newer to /usr/local/go"
		exit 1
	fi
else
	[ ${#missing[@]} -eq 0 ] || install_packages
	if ! find_go; then
		fetch_go "$(command -v go)"
		find_go
	fi
	[ ${#pins[@]} -eq 0 ] || npm install -g --prefix /usr/local --no-fund --no-audit --no-update-notifier "${pins[@]}" >&2
	for script in "$root"/languages/prepare/*.sh; do
		"$script" >&2
	done
fi

version=$(git -c safe.directory="$root" -C "$root" describe --tags --always --dirty 2>/dev/null || echo dev)
commit=$(git -c safe.directory="$root" -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
CGO_ENABLED=0 "$GO" -C "$root" build -trimpath -buildvcs=false \
	-ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$root/bin/assay" ./cmd/assay

if $build_only; then
	exit 0
fi
exec "$root/bin/assay" serve "$@"
