#!/bin/sh
# Assembles and links: SYNTAX ROUTINE MACRO ASSEMBLER LINKER COMPILER NM [-lc] -- SOURCE...
#
# SYNTAX is gas or nasm. A program starts at _start, or at the C library's main. The addresses of a program that is not
# position-independent are what textbooks' code is written for.
# Old tutorials call the kernel by its 32-bit gate, which no sandbox opens. In 64-bit code the simple calls can be done the
# other way: MACRO, in the assembler's syntax, makes "int 0x80" a call of ROUTINE, which is in that of as.
set -e
syntax=$1 routine=$2 macro=$3 assembler=$4 linker=$5 compiler=$6 nm=$7
shift 7
libraries=
while [ "$1" != -- ]; do libraries=$1; shift; done
shift

gate=
if grep -Eiq '^[^;#]*\bint[[:space:]]+(\$?0x80|80h|0x80)' "$@"; then
  gate=/tmp/gate.inc
  printf "%s\n" "$macro" >$gate
  printf "%s\n" "$routine" >/tmp/gate.s
  as -o /tmp/gate.o /tmp/gate.s
fi

# assemble OBJECT SOURCE
assemble() {
  if [ "$syntax" = nasm ]; then
    "$assembler" -f elf64 ${gate:+-p "$gate"} -o "$1" "$2"
  # ".S" goes through the preprocessor of C; so does ".s" where it has directives of it.
  elif [ "${2%.S}" != "$2" ] || grep -Eq '^#[[:space:]]*(include|define|if|ifdef|ifndef)\b' "$2"; then
    "$compiler" -c -x assembler-with-cpp -fdiagnostics-color=never -o "$1" "$2"
  else
    "$assembler" -o "$1" ${gate:+"$gate"} "$2"
  fi
}

n=0
for source; do
  n=$((n + 1))
  assemble /tmp/$n.o "$source"
  # In place of the sources, "$@" becomes the objects.
  shift
  set -- "$@" /tmp/$n.o
done
[ -z "$gate" ] || set -- /tmp/gate.o "$@"

"$nm" "$@" >/tmp/symbols
if ! grep -q ' T _start$' /tmp/symbols && ! grep -q ' [TW] main$' /tmp/symbols; then
  global=.globl
  [ "$syntax" = gas ] || global=global
  for entry in _start main; do
    if grep -q " t $entry\$" /tmp/symbols; then
      echo "$entry is not global: add '$global $entry'" >&2
      exit 1
    fi
  done
fi
sed -n 's/.* [TDBRVW] \(.*\)$/\1/p' /tmp/symbols | sort -u >/tmp/defined
if ! grep -q ' T _start$' /tmp/symbols; then
  exec "$compiler" -no-pie -z noexecstack -o main "$@" -lm
elif [ -n "$libraries" ] || sed -n 's/^ *U //p' /tmp/symbols | grep -vxq -f /tmp/defined; then
  exec "$compiler" -no-pie -nostartfiles -z noexecstack -o main "$@" -lm
else
  exec "$linker" -z noexecstack -o main "$@"
fi
