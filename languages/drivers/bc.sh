#!/bin/bash
# Runs bc: BC FLAG MAIN [SOURCE...]
#
# bc exits with 0 whatever happens, says what was wrong on stderr, and goes on with the next line. So the parser alone
# (-c) sees the source first; then it is run, and the exit code is 1 if anything came on stderr. After its files bc reads
# its standard input as a program, which is the program's input here: the last file says "quit". Other files come before
# the main one, so that it can call their functions.
bc=$1 flag=$2 main=$3
shift 3
if "$bc" -c "$flag" -- "$@" "$main" /dev/fd/3 3<<<'' </dev/null 2>&1 >/dev/null | grep '' >&2; then exit 2; fi
exec 4>&1
"$bc" -q "$flag" -- "$@" "$main" /dev/fd/3 3<<<$'\nquit' 2>&1 >&4 | grep --line-buffered '' >&2
ended=("${PIPESTATUS[@]}")
[ "${ended[0]}" = 0 ] || exit "${ended[0]}"
[ "${ended[1]}" != 0 ]
