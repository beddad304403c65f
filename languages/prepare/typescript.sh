#!/bin/sh
# Puts one release of the native TypeScript compiler (7 and later) beside the one that npm has installed for all:
# /usr/local/lib/assay/typescript-MAJOR/lib/tsc. Does nothing when that release is there already.
#
#   languages/prepare/typescript.sh VERSION        (as 7.0.2)
set -eu

version=$1
target=/usr/local/lib/assay/typescript-${version%%.*}
if [ "$("$target/lib/tsc" --version 2>/dev/null)" = "Version $version" ]; then
	exit 0
fi
case $(uname -m) in
x86_64) package=@typescript/typescript-linux-x64 ;;
aarch64) package=@typescript/typescript-linux-arm64 ;;
*)
	echo "typescript.sh: there is no package of the compiler for $(uname -m)" >&2
	exit 1
	;;
esac

mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
npm install --prefix "$new" --no-bin-links --ignore-scripts --no-fund --no-audit --no-update-notifier --no-save "$package@$version"
mv "$new/node_modules/$package/lib" "$new/lib"
rm -rf "$new/node_modules" "$new"/package*.json
chmod -R a+rX "$new"
"$new/lib/tsc" --version

rm -rf "$target"
mv "$new" "$target"
trap - EXIT
