#!/bin/sh
# Runs jq: JQ MAIN [ARGUMENT...]
#
# A filter runs once for each value of the input, so without any input not even "Hello, world" would run: with an empty
# input it runs once, on null, as with --null-input. One byte of the input is read to see that there is some.
jq=$1 main=$2
shift 2
head -c 1 >/tmp/.first
exec 3</tmp/.first
if [ -s /tmp/.first ]; then
  rm /tmp/.first
  cat /dev/fd/3 - | "$jq" --monochrome-output -L . -f "$main" "$@"
else
  rm /tmp/.first
  exec "$jq" --null-input --monochrome-output -L . -f "$main" "$@"
fi
