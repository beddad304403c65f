#!/bin/sh
# Compiles Nim: NIM SOURCE [FLAG...]
#
# Threads are always there, as from Nim 2 on. A file whose name is no identifier is no module: it gets another name.
set -e
nim=$1; source=$2; shift 2
case ${source%.nim} in
  */*) ;;
  [!A-Za-z]* | *[!A-Za-z0-9_]* | *__* | *_) cp "$source" main_program.nim; source=main_program.nim ;;
esac
exec "$nim" c --hints:off --colors:off --threads:on --nimcache:/tmp/nimcache "$@" -o:main "$source"
