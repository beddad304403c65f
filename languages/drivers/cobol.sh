#!/bin/sh
# Compiles COBOL: COBC [FLAG...] -- MAIN [SOURCE...]
#
# A program called "main" would collide with C's main, which cobc writes: it gets another name. Fixed form has comment marks
# in column 7, or numbers before it. A source's last line gets an end.
#
# shellcheck disable=SC2086 # flags are a list of words
cobc=$1; shift
flags=; form=
while [ "$1" != -- ]; do
  case $1 in -free | -fixed) form=$1 ;; *) flags="$flags $1" ;; esac
  shift
done
shift
for source; do
  sed -i -E 's/^(.*program-id *\. *|.*end +program +)["'\'']?main["'\'']?([ .]|$)/\1main-program\2/; s/^(.*PROGRAM-ID *\. *|.*END +PROGRAM +)["'\'']?main["'\'']?([ .]|$)/\1main-program\2/' "$source"
  [ -z "$(tail -c 1 "$source")" ] || echo >>"$source"
done
second=
if [ -z "$form" ]; then
  if grep -Eq '^[0-9 ]{6}(\*([^>]|$)|/)|^[0-9]{6}[ *-]' "$1"; then
    form=-fixed; second=-free
  else
    form=-free; second=-fixed
  fi
fi
build() {
  if "$cobc" -x $flags "$@" 2>/tmp/errors; then
    # What the C compiler says of the generated code is of no use to anyone.
    grep -v '^/tmp/cob' /tmp/errors >&2
    exit 0
  fi
}
build "$form" -o main "$@"
mv /tmp/errors /tmp/first
[ -z "$second" ] || build "$second" -o main "$@"
cat /tmp/first >&2
exit 1
