#!/usr/bin/env bash
# Fills the folder of a job: test/vm/prepare.sh JOB. Needs $GO (scripts/go.sh), root for the sandbox, and the toolchains of the
# hostile suite, whose programs are compiled here: the same release of Debian is in the machine, where a compiler is ten times slower. The
# cases whose attack is the compilation are left to the machine.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
job=$1
mkdir -p "$job"
export CGO_ENABLED=0

cp "$here"/job.sh "$here"/*.service "$job/"
"$GO" build -C "$root" -trimpath -buildvcs=false -o "$job/assay" ./cmd/assay
"$GO" build -C "$root" -trimpath -o "$job/pace" ./test/vm/pace
"$GO" build -C "$root" -trimpath -o "$job/test2json" cmd/test2json
"$GO" build -C "$root" -trimpath -o "$job/bench-accuracy" ./bench/accuracy
for program in spin touch; do
	gcc -O1 -static -Wall -Wextra -o "$job/$program" "$root/bench/testdata/$program.c"
done
for package in internal/sandbox/linux/cgroup internal/sandbox/linux internal/probe test/hostile; do
	name=$(basename "$package")
	"$GO" test -C "$root" -c -trimpath -tags cgroup2 -o "$job/$name.test" "./$package"
	mkdir -p "$job/$name"
done
cp -r "$root/test/hostile/testdata" "$job/hostile/"
cat >"$job/hello.c" <<'PROGRAM'
#include <stdio.h>

int main(void) {
	puts("Hello, world");
	return 0;
}
PROGRAM
"$job/pace" >"$job/host-pace"
mkdir "$job/compiled"
(cd "$job/hostile" && ASSAY_HOSTILE_PRECOMPILE="$job/compiled" ../hostile.test)
