#!/bin/sh
# Compiles D: COMPILER [FLAG...] SOURCE...
#
# gdc and ldc2 are told the same things in different words; the flags come in gdc's.
set -e
compiler=$1; shift
case $compiler in
  *ldc2)
    # Its own settings, which tell it where its library is, are a file in /etc, which no sandbox shows.
    echo 'default: {
      switches = ["-defaultlib=phobos2-ldc,druntime-ldc", "-link-defaultlib-shared"];
      post-switches = ["-I/usr/lib/ldc/x86_64-linux-gnu/include/d", "-I/usr/include/d"];
      lib-dirs = [];
      rpath = "";
    };' >/tmp/ldc2.conf
    for argument; do
      shift
      case $argument in -frelease) argument=-release ;; esac
      set -- "$@" "$argument"
    done
    exec "$compiler" -conf=/tmp/ldc2.conf -verrors=50 -od=/tmp -of=main "$@"
    ;;
  *) exec "$compiler" -fdiagnostics-color=never -fmax-errors=50 -o main "$@" ;;
esac
