#!/usr/bin/env bash
# Installs what assay needs, builds bin/assay, and starts it:
#
#   ./run.sh [--build-only] [--languages ID,ID...|all|none] [-- serve flags]
#
# On a fresh Debian machine this takes some minutes, as root, most of them for the toolchains of all languages (about 5 GB);
# --languages c,cpp,python installs only these. When everything is there it takes a second.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/go.sh
. "$root/scripts/go.sh"

usage() {
	say "usage: ./run.sh [--build-only] [--languages ID,ID...|all|none] [-- serve flags]"
	exit 2
}

build_only=false
languages=all
while [ $# -gt 0 ]; do
	case $1 in
	--build-only) build_only=true ;;
	--languages)
		[ $# -gt 1 ] || usage
		languages=$2
		shift
		;;
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

# need FILE PACKAGE: without FILE, PACKAGE is missing.
need() { [ -e "$1" ] || missing+=("$2"); }

look() {
	missing=()
	need /etc/ssl/certs/ca-certificates.crt ca-certificates
	need /usr/bin/git git
	need /bin/bash bash
	find_go || command -v go >/dev/null || missing+=(golang-go)
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
if [ "$(id -u)" -ne 0 ]; then
	if ! find_go; then
		say "Go $GO_LANGUAGE or newer is missing. Run ./run.sh as root once, or install it to /usr/local/go."
		exit 1
	fi
else
	[ ${#missing[@]} -eq 0 ] || install_packages
	if ! find_go; then
		fetch_go "$(command -v go)"
		find_go
	fi
fi

version=$(git -c safe.directory="$root" -C "$root" describe --tags --always --dirty 2>/dev/null || echo dev)
commit=$(git -c safe.directory="$root" -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
CGO_ENABLED=0 "$GO" -C "$root" build -trimpath -buildvcs=false \
	-ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$root/bin/assay" ./cmd/assay

# install_languages installs toolchains. One that cannot be had is shown as not available, and is no reason to stop.
install_languages() {
	local ids
	if [ "$(id -u)" -ne 0 ]; then
		say "Toolchains can be installed by root only: bin/assay languages says which are here."
		return
	fi
	case $languages in
	all) ids=(--all) ;;
	*) IFS=, read -r -a ids <<<"$languages" ;;
	esac
	say "Looking for the toolchains of languages: $languages."
	"$root/bin/assay" languages install "${ids[@]}" >&2 || say "Not everything could be installed, see above; the rest works."
}
[ "$languages" = none ] || install_languages

if $build_only; then
	exit 0
fi
exec "$root/bin/assay" serve "$@"
