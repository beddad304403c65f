#!/bin/sh
# Compiles TypeScript: NODE TSC [FLAG...] SOURCE...; a TSC that is no script is a program of its own.
#
# CommonJS, where a file finds another one without its extension. A program that awaits outside of a function, or asks for
# import.meta, is compiled once more, as an ECMAScript module; one with decorators that do not fit the standard, with
# those that TypeScript had before it.
node=$1 tsc=$2 resolution=bundler
shift 2
case $tsc in
*.js)
  set -- "$node" --max-old-space-size=768 "$tsc" "$@"
  resolution=node10
  ;;
*) set -- "$tsc" "$@" ;;
esac
errors=$("$@" --module commonjs --moduleResolution $resolution) && exit
case $errors in
*TS1206:* | *TS1238:* | *TS1239:* | *TS1240:* | *TS1241:*)
  errors=$("$@" --experimentalDecorators --module commonjs --moduleResolution $resolution) && exit
  ;;
*TS1309:* | *TS1343:* | *TS1378:* | *TS1432:*)
  printf '{"type":"module"}' >package.json
  exec "$@" --module esnext --moduleResolution bundler
  ;;
esac
printf '%s\n' "$errors"
exit 2
