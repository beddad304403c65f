#!/bin/sh
# Runs Octave: OCTAVE SCRIPT [ARGUMENT...]
#
# A file whose first command is a function definition would be taken for that function alone, and the commands below it
# would not be run. "1;" before the definition makes it a script. A file of nothing but functions (what is not indented
# begins with "function" or "end") stays as it is: its first function is run.
# A script that defines a function of its own name would be warned of: it is renamed.
block='/^[[:space:]]*[%#]{[[:space:]]*$/,/^[[:space:]]*[%#]}[[:space:]]*$/d'
first=$(sed -n "$block"'; /^[[:space:]]*\([%#].*\)\?$/d; /^[[:space:]]*function\>/=; q' "$2")
if [ "$first" ] && [ "$(sed "$block"'; /^[[:space:]%#]/d; /^$/d; /^function\>/d; /^end/d; q' "$2")" ]; then
  sed -i "${first}s/^/1;/" "$2"
  first=
fi
octave=$1 script=$2 stem=${2%.m}
if [ ! "$first" ] && grep -q -e "^\(1;\)\?[[:space:]]*function\>.*\<$stem\>" "$script" 2>/dev/null; then
  mv "$script" "${stem}_.m"
  script=${stem}_.m
fi
shift 2
exec "$octave" --norc --no-history --no-gui -q "$script" "$@"
