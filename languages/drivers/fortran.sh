#!/bin/sh
# Compiles Fortran: COMPILER [FLAG...] -- MAIN [SOURCE...]
#
# A module must be compiled before what uses it, so with several files each is tried until it works, and the last round's
# errors are shown. OpenMP is not simply always on: it puts local arrays onto the stack, where old programs expect them to
# keep their values. Where free form fails, fixed form is tried.
#
# shellcheck disable=SC2086 # flags are a list of words
flags=; form=auto; compiler=$1; shift
while [ "$1" != -- ]; do
  case $1 in -ffree-form | -ffixed-form) form=given ;; esac
  flags="$flags $1"; shift
done
shift
case $flags in
  *openmp*) ;;
  *) if grep -Eqi '^ *[!c*][$]omp|^ *use.*omp_lib' "$@"; then flags="$flags -fopenmp"; fi ;;
esac
build() {
  if [ $# = 1 ]; then
    $compiler $flags $fixed -o main "$1"
    return
  fi
  : >/tmp/objects
  while [ $# -gt 0 ]; do
    before=$#; n=$#; : >/tmp/errors
    while [ $n -gt 0 ]; do
      name=$1; shift; n=$((n - 1))
      object=/tmp/$(printf %s "$name" | tr -c 'A-Za-z0-9\n' _).o
      if $compiler $flags $fixed -c -o "$object" "$name" 2>>/tmp/errors; then
        echo "$object" >>/tmp/objects
      else
        set -- "$@" "$name"
      fi
    done
    if [ $# = $before ]; then
      cat /tmp/errors >&2
      return 1
    fi
  done
  # shellcheck disable=SC2046 # names without blanks
  $compiler $flags -o main $(cat /tmp/objects)
}
fixed=
build "$@" 2>/tmp/first
code=$?
if [ $code != 0 ] && [ $form = auto ]; then
  case $1 in
    *.[fF]90 | *.[fF]95 | *.[fF]03 | *.[fF]08 | *.[fF]18)
      fixed=-ffixed-form
      if build "$@" 2>/tmp/second; then
        cat /tmp/second >&2
        exit 0
      fi
      ;;
  esac
fi
cat /tmp/first >&2
exit $code
