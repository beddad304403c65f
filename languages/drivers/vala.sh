#!/bin/sh
# Compiles Vala: VALAC [FLAG...] -- SOURCE...
#
# The C that it makes of correct programs has warnings, which are nobody's business.
#
# shellcheck disable=SC2086 # flags are a list of words
set -e
valac=$1; shift
flags=
while [ "$1" != -- ]; do flags="$flags $1"; shift; done
shift
uses() {
  pattern=$1; shift
  grep -Eq "$pattern" "$@"
}
if uses '\b(Gee)\b' "$@"; then flags="$flags --pkg gee-0.8"; fi
if uses '\b(Posix)\b' "$@"; then flags="$flags --pkg posix"; fi
if uses '\b(Json)\b' "$@"; then flags="$flags --pkg json-glib-1.0"; fi
if uses '\b(File(Info|Enumerator|Stream|InputStream|OutputStream)?|Cancellable|Subprocess|Data(In|Out)putStream|InputStream|OutputStream|IOError|Application|ListStore|Task|Socket[A-Za-z]*|ThreadedSocketService|Bus|DBus[A-Za-z]*|Resource|Settings|UnixInputStream)\b' "$@"; then
  flags="$flags --pkg gio-2.0"
fi
exec "$valac" --no-color -d "$PWD" -X -w $flags -X -lm -o main "$@"
