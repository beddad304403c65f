#!/bin/sh
# Compiles Swift: SWIFTC [FLAG...] -- SOURCE...
#
# With -parse-as-library a source with @main is the program; without it main.swift is, by its top level. Modules of the C
# library are compiled into the cache first.
#
# shellcheck disable=SC2086 # options are a list of words
set -e
swiftc=$1
shift
options=
while [ "$1" != -- ]; do
  options="$options $1"
  shift
done
shift
if grep -qE '^[[:space:]]*@main([[:space:]]|$)' -- "$@"; then
  options="$options -parse-as-library"
fi
exec "$swiftc" -module-cache-path /tmp/modules -module-name main_program $options -o main "$@"
