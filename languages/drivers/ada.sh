#!/bin/sh
# Compiles Ada: GNATMAKE GNATCHOP [FLAG...] -- MAIN [SOURCE...]
#
# The compiler wants each unit in a file of its own, named after it. So the sources are taken apart (with pragmas that keep
# their names and lines for the messages), and the last procedure without parameters of the main source becomes the
# program.
#
# shellcheck disable=SC2086 # flags and units are lists of words
gnatmake=$1; gnatchop=$2; shift 2
flags=
while [ "$1" != -- ]; do flags="$flags $1"; shift; done
shift
case $flags in
  *-gnatW*) ;;
  *) if grep -Eqi 'wide_text_io' "$@"; then flags="$flags -gnatW8"; fi ;;
esac
mkdir /tmp/units
for source; do
  if ! "$gnatchop" -w -r "$source" /tmp/units >/tmp/chopped 2>/tmp/errors; then
    # Errors that stop the taking apart are the compiler's to explain.
    case $source in *.ad[bs]) name=$source ;; *) name=/tmp/main.adb; cp "$source" $name ;; esac
    gcc -c $flags -gnats "$name" || exit 1
    cat /tmp/errors /tmp/chopped >&2
    exit 1
  fi
  [ -n "$units" ] || units=$(sed -n 's/^ *\([^ ]*\.adb\)$/\1/p' /tmp/chopped)
done
work=$PWD
cd /tmp/units || exit 1
for unit in $units; do
  # Without comments, on one line, a program starts "procedure NAME is", after its context clauses.
  text=$(sed 's/--.*//' "$unit" | tr '\n\t\r' '   ' | tr '[:upper:]' '[:lower:]')
  case " $text" in *" separate ("* | *" separate("*) continue ;; esac
  if printf %s "$text" | grep -Eq '^ *((with|use|limited|private|pragma) [^;]*; *)*(procedure +[a-z0-9_.]+ +(is|with)|function +[a-z0-9_.]+ +return) '; then
    program=$unit
  fi
done
program=${program:-${units##*
}}
if [ -z "$program" ]; then
  echo "there is no procedure to run: write 'procedure Main is ... end Main;'" >&2
  exit 1
fi
exec "$gnatmake" -q -f "$program" -o "$work/main" $flags
