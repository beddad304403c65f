#!/bin/sh
# Lays out the precompiled form of <bits/stdc++.h> for g++ with the default options of languages/cpp.yaml, for the usual
# standards. g++ looks for it in the folder that the definition names with -I, checks by itself that it was made by this very
# compiler with fitting options and macros, and otherwise reads the header as ever: so what is outdated costs time only.
# Does nothing when the folder already belongs to this compiler and these headers.
#
#   languages/prepare/cpp.sh TARGET        (default: /usr/local/lib/assay/cpp; $CXX names the compiler)
set -eu

target=${1:-/usr/local/lib/assay/cpp}
cxx=${CXX:-/usr/bin/g++}
# The layout of this folder: raised when the script makes something different of the same compiler.
layout=1

cd /
# A patched C library brings other headers with the same compiler.
headers=$(echo '#include <bits/stdc++.h>' | "$cxx" -x c++ -std=gnu++20 -M - | tr ' ' '\n' | grep '^/' | sort -u)
stamp="$("$cxx" --version | head -n 1) $("$cxx" -dumpmachine) $(echo "$headers" | xargs cat | cksum) layout $layout"
if [ "$(cat "$target/STAMP" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
# g++ tries every file of such a folder and takes the first that fits.
mkdir -p "$new/bits/stdc++.h.gch"
# The header beside it is what a second inclusion finds (<bits/extc++.h> has one), and a compiler that nothing fits.
cat >"$new/bits/stdc++.h" <<'HEADER'
#pragma GCC system_header
#include_next <bits/stdc++.h>
HEADER
# Made of g++'s own header, whose path is the one in messages.
header=$(echo "$headers" | grep -m 1 '/bits/stdc++\.h$')
for standard in 17 20 23; do
	"$cxx" -x c++-header -O2 "-std=gnu++$standard" -Wall -fstack-protector \
		-o "$new/bits/stdc++.h.gch/gnu++$standard" "$header"
done
chmod -R a+rX "$new"
chmod 755 "$new"
printf '%s\n' "$stamp" >"$new/STAMP"

rm -rf "$target"
mv "$new" "$target"
trap - EXIT
