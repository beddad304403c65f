#!/bin/sh
# Compiles Scala: JAVA CLASSPATH [FLAG...] SOURCE...
#
# The compiler's class directly, without the shell script around it: 1.9 s of CPU, and 1.3 with the archive of its
# classes; without it, or with a stale one, it is silently not used. A jar's manifest names the object with main, whatever
# it and its package are called. A source without any object is a script, as `scala FILE` takes it too.
java=$1 classpath=$2
shift 2
scalac() (
  "$java" -Xmx512m -Xss8m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -XX:+IgnoreUnrecognizedVMOptions \
    -XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0 -XX:SharedArchiveFile=/usr/local/lib/assay/scala/compiler.jsa \
    -Xshare:auto -Xlog:disable -cp "$classpath" scala.tools.nsc.Main -usejavacp -encoding UTF-8 -d main.jar "$@"
)
scalac "$@" >/tmp/messages 2>&1
code=$?
if [ $code = 1 ] && grep -q 'error: expected class or object definition' /tmp/messages && scalac -Xscript Main "$@" >/tmp/script 2>&1; then
  cat /tmp/script >&2
  exit 0
fi
cat /tmp/messages >&2
exit $code
