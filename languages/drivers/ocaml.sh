#!/bin/sh
# Compiles OCaml: OCAMLOPT OCAMLDEP [FLAG...] -- SOURCE...
#
# Files are compiled in the order of their dependencies. OCaml 5 has the libraries in folders of their own; 4 takes the
# folders' absence without a word.
#
# shellcheck disable=SC2086 # flags and names are lists of words
set -e
ocamlopt=$1 ocamldep=$2
shift 2
options=
while [ "$1" != -- ]; do
  options="$options $1"
  shift
done
shift
set -f
if [ $# -gt 1 ]; then
  sorted=$("$ocamldep" -sort "$@")
  set -- $sorted
fi
exec "$ocamlopt" -color never -I +unix -I +str -I +threads $options -o main unix.cmxa str.cmxa threads.cmxa "$@"
