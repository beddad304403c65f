#!/bin/sh
# Copies GHC's list of packages to where a sandbox can read it: Debian keeps it below /var, of which no program sees
# anything. Does nothing when the copy is the same as the list. To be run again after a Haskell library was installed.
#
#   languages/prepare/haskell.sh TARGET        (for instance /usr/local/lib/assay/ghc)
set -eu

target=${1:?which folder?}
list=$(ghc --print-global-package-db)
copy=$target/package.conf.d
if [ -d "$copy" ] && diff -rq "$list/" "$copy/" >/dev/null 2>&1; then
	exit 0
fi
mkdir -p "$target"
new=$(mktemp -d "$target/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
cp -R "$list/." "$new/"
chmod -R a+rX "$new"
# A cache that is older than its folder is passed over, with a warning.
touch "$new/package.cache"
rm -rf "$copy"
mv "$new" "$copy"
trap - EXIT
