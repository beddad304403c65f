#!/bin/sh
# Copies one release of CPython that pyenv has built to /opt/pythonVERSION: pyenv keeps its builds in a home folder, which no
# sandbox shows. Builds it first where it is missing, which takes minutes and a C compiler. The tests of the standard
# library stay behind. Does nothing when the release is there already.
#
#   languages/prepare/cpython.sh VERSION        (as 3.12; $PYENV_ROOT names pyenv's folder)
set -eu

version=$1
target=/opt/python$version
if "$target/bin/python$version" -s -E -c '' 2>/dev/null; then
	exit 0
fi
root=${PYENV_ROOT:-$HOME/.pyenv}
pyenv=$root/bin/pyenv
if [ ! -x "$pyenv" ]; then
	echo "cpython.sh: pyenv was not found in $root; install it, or put Python $version into /usr/local" >&2
	exit 1
fi
release=$(cd "$root/versions" 2>/dev/null && printf '%s\n' "$version".* | grep -E '^[0-9.]+$' | sort -t. -k3n | tail -n 1) || true
if [ -z "$release" ]; then
	release=$("$pyenv" latest -k "$version")
	"$pyenv" install --skip-existing "$release"
fi

new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/bin"
cp -a "$root/versions/$release/lib" "$new/lib"
cp -L "$root/versions/$release/bin/python$version" "$new/bin/python$version"
rm -rf "$new/lib/python$version/test" "$new"/lib/python"$version"/config-* "$new"/lib/*.a
# A build with a shared library looks for it in the folder that it was built for.
if ls "$new"/lib/libpython*.so* >/dev/null 2>&1; then
	command -v patchelf >/dev/null || apt-get -q -y --no-install-recommends install patchelf
	# shellcheck disable=SC2016 # the loader's variable, not the shell's
	patchelf --set-rpath '$ORIGIN/../lib' "$new/bin/python$version"
fi
chmod -R a+rX "$new"

rm -rf "$target"
mv "$new" "$target"
trap - EXIT
"$target/bin/python$version" -s -E --version
