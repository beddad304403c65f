#!/bin/sh
# Runs Racket: RACKET MAIN [ARGUMENT...]
#
# A file that names no language is one in "#lang racket"; the line is put before its first, which keeps line numbers.
racket=$1 main=$2
shift 2
if ! grep -qE '^[[:space:]]*(#lang|#reader|#!|\(module)' "$main"; then
  cp "$main" /tmp/.main
  (printf '#lang racket '; cat /tmp/.main) >"$main"
  rm /tmp/.main
fi
exec "$racket" "$main" "$@"
