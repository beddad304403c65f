#!/bin/sh
# Compiles Modula-2: GM2 [FLAG...] -- MAIN [SOURCE...]
#
# Debian's gm2 does not link with its own choice of libraries; these are PIM's, ISO's and Logitech's (InOut, Terminal),
# which need each other. Without a dialect, PIM is tried and then ISO.
#
# shellcheck disable=SC2086 # flags and objects are lists of words
gm2=$1; shift
flags=; dialect=
while [ "$1" != -- ]; do
  case $1 in -fpim* | -fiso) dialect=$1 ;; *) flags="$flags $1" ;; esac
  shift
done
shift
main=$1; shift
build() {
  case $1 in
    -fiso) set -- "$1 -flibs=m2iso,m2pim,m2log" "$@" ;;
    *) set -- "$1 -flibs=m2pim,m2iso,m2log" "$@" ;;
  esac
  chosen=$1; shift 2
  objects=; n=0
  for source; do
    n=$((n + 1))
    "$gm2" $flags $chosen -c -o /tmp/$n.o "$source" || return 1
    objects="$objects /tmp/$n.o"
  done
  "$gm2" $flags $chosen -o main "$main" $objects
}
if [ -n "$dialect" ]; then
  build "$dialect" "$@"
  exit
fi
if build -fpim "$@" 2>/tmp/first; then cat /tmp/first >&2; exit 0; fi
if build -fiso "$@" 2>/tmp/second; then cat /tmp/second >&2; exit 0; fi
cat /tmp/first >&2
exit 1
