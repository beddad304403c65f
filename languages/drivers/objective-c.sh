#!/bin/sh
# Compiles Objective-C: COMPILER HEADERS PROPERTIES [FLAG...] SOURCE...; HEADERS are gcc's, PROPERTIES is a Perl script.
#
# What `gnustep-config --objc-flags --base-libs` says, for clang with gcc's runtime, which is the one that Debian's GNUstep
# is built for. A program without Foundation is not linked with it.
#
# shellcheck disable=SC2086 # libraries are a list of words
set -e
compiler=$1 headers=$2 properties=$3
shift 3
# GNUstep's headers ask the runtime for the one of blocks, which is a library of its own.
mkdir -p /tmp/include/objc
echo '#include <Block.h>' >/tmp/include/objc/blocks_runtime.h
# With gcc's runtime clang declares no variables and makes no methods for a @property by itself, as newer runtimes have it.
if [ -x /usr/bin/perl ] && grep -Eqs '@property|__weak' ./*.[hm]; then
  find . -name '*.[hm]' -exec /usr/bin/perl -e "$properties" {} +
fi
libraries="-lobjc -lBlocksRuntime"
for file in *; do
  if [ -f "$file" ] && grep -Eq '(Foundation|GNUstepBase)/|<AppKit/' "$file"; then libraries="-lgnustep-base $libraries"; break; fi
done
exec "$compiler" -fobjc-runtime=gcc -fblocks -fexceptions -fobjc-exceptions -fconstant-string-class=NSConstantString \
  -DGNUSTEP -DGNUSTEP_BASE_LIBRARY=1 -DGNU_RUNTIME=1 -D_NATIVE_OBJC_EXCEPTIONS \
  -fno-strict-aliasing -pthread -ferror-limit=50 -fno-color-diagnostics \
  -I/tmp/include -idirafter "$headers" -I/usr/include/GNUstep -L"${headers%/include}" -o main "$@" $libraries -lm
