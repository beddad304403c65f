#!/bin/sh
# Compiles Kotlin: JAVA COMPILER CLASSPATH [FLAG...] SOURCE...
#
# The compiler's class directly, without the shell scripts around it and their second class loader: 3.1 s of CPU become
# 2.4, and 1.3 with the archive of its classes. Without the archive, or with a stale one, it is silently not used.
# The class with main may have any name and package: it is the one with a method of that name and type. (A jar's manifest
# would name it, but then the library must be on the boot class path, where Kotlin's reflection does not work.)
set -e
java=$1 compiler=$2 classpath=$3
shift 3
"$java" -Xmx512m -Xss8m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -XX:+IgnoreUnrecognizedVMOptions \
  -XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0 -XX:SharedArchiveFile=/usr/local/lib/assay/kotlin/compiler.jsa \
  -Xshare:auto -Xlog:disable -cp "$compiler" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler \
  -no-stdlib -no-reflect -classpath "$classpath" -d . "$@"
export LC_ALL=C
# shellcheck disable=SC2038 # one name a line
find . -name '*.class' ! -name '*$*' | xargs -r -d '\n' grep -laF '([Ljava/lang/String;)V' |
  xargs -r -d '\n' grep -laP '\x00\x04main' | sort | head -n 1 |
  sed 's,^\./,,; s,\.class$,,; s,/,.,g' >main.args
[ -s main.args ] || echo MainKt >main.args
