#!/usr/bin/env bash
# Measures what the options of C++ cost, through assay itself, and prints the tables of cpp.md:
#
#   docs/languages/measure-cpp.sh [ROUNDS]        (default 5; $ASSAY names the binary, $RUN_DIR the run folder)
#
# Each figure is the least of ROUNDS rounds. CPU times are those that `assay run --json` reports, so that what else the
# machine does matters little; each round compiles anew.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
assay=${ASSAY:-$root/bin/assay}
rounds=${1:-5}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
flags=()
[ -z "${RUN_DIR:-}" ] || flags+=(--run-dir "$RUN_DIR")

# Each program prints the size of its own file, which nobody outside of the sandbox sees otherwise.
cat >"$temp/size.h" <<'PROGRAM'
#include <cstdio>
#include <sys/stat.h>
static void size(unsigned long long result) {
    struct stat s;
    if (stat("/proc/self/exe", &s) != 0) s.st_size = 0;
    std::printf("size=%lld result=%llu;", (long long)s.st_size, result);
}
PROGRAM

# start does nothing: what is left is starting up.
{
	cat "$temp/size.h"
	echo '#include <iostream>'
	echo 'int main() { std::cout << ""; size(0); }'
} >"$temp/start.cpp"

# loop adds up floating-point numbers: what optimisation is about.
{
	cat "$temp/size.h"
	cat <<'PROGRAM'
#include <cstdlib>
#include <vector>
int main() {
    int n = 4096 + (std::getenv("NOBODY_SETS_THIS") != nullptr);
    std::vector<double> x(n), y(n);
    for (int i = 0; i < n; i++) x[i] = i % 7, y[i] = i % 5;
    double sum = 0;
    for (int round = 0; round < 40000; round++) {
        for (int i = 0; i < n; i++) y[i] = 0.5 * x[i] + 0.25 * y[i];
        for (int i = 0; i < n; i++) sum += y[i];
    }
    size((unsigned long long)sum);
}
PROGRAM
} >"$temp/loop.cpp"

# stl sorts, maps and joins strings.
{
	cat "$temp/size.h"
	cat <<'PROGRAM'
#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>
int main() {
    std::mt19937 random(1);
    std::vector<int> v(1000000);
    for (int& n : v) n = random() % 100000;
    std::sort(v.begin(), v.end());
    std::map<int, int> tree;
    std::unordered_map<std::string, int> hash;
    for (std::size_t i = 0; i < v.size(); i += 3) tree[v[i]]++, hash[std::to_string(v[i])]++;
    unsigned long long sum = std::accumulate(v.begin(), v.end(), 0ULL);
    for (auto& [k, n] : tree) sum += k * n;
    for (auto& [k, n] : hash) sum += k.size() * n;
    size(sum);
}
PROGRAM
} >"$temp/stl.cpp"

# streams reads and writes numbers with iostream.
{
	cat "$temp/size.h"
	cat <<'PROGRAM'
#include <iomanip>
#include <iostream>
#include <sstream>
int main() {
    std::ostringstream out;
    for (int i = 0; i < 300000; i++) out << i << ' ' << std::setprecision(3) << i / 7.0 << '\n';
    std::istringstream in(out.str());
    unsigned long long sum = 0;
    double d;
    for (int n; in >> n >> d;) sum += n + (int)d;
    std::cout << "";
    size(sum);
}
PROGRAM
} >"$temp/streams.cpp"

# field PATTERN: the number behind a pattern in the last result.
field() { sed -nE "s/.*$1.*/\\1/p" "$temp/result"; }

least() { awk -v a="$1" -v b="$2" 'BEGIN { print (a == "" || b < a) ? b : a }'; }

# measure PROGRAM [KEY=VALUE...]: sets compiled, ran (milliseconds of CPU time), and bytes.
measure() {
	local program=$1 option options=() i now
	shift
	for option in "$@"; do
		options+=(--option "$option")
	done
	compiled='' ran=''
	for ((i = 0; i < rounds; i++)); do
		"$assay" run --json "${flags[@]}" "${options[@]}" --time-limit 60s --memory-limit 1GiB "$temp/$program.cpp" >"$temp/result"
		grep -q '"status":"ok","limit"' "$temp/result" || {
			cat "$temp/result" >&2
			exit 1
		}
		now=$(field '"cpu_time_ms":([0-9.]+),"truncated"')
		compiled=$(least "$compiled" "$now")
		now=$(field '"cpu_time_ms":([0-9.]+),"wall_time_ms"')
		ran=$(least "$ran" "$now")
	done
	bytes=$(field 'size=([0-9]+) ')
}

# row LABEL PROGRAM [KEY=VALUE...]
row() {
	local label=$1 program=$2
	shift
	measure "$@"
	printf '| %s | %s | %.0f | %.2f | %.0f |\n' "$label" "$program" "$compiled" "$ran" "$(awk -v b="$bytes" 'BEGIN { print b / 1024 }')"
}

head() { printf '\n| %s | program | compile, ms CPU | run, ms CPU | file, KiB |\n|---|---|---|---|---|\n' "$1"; }

"$assay" languages --json | sed -nE 's/.*"id":"cpp","name":"C\+\+","version":"([^"]*)".*/g++ \1/p'
head optimization
for value in 0 1 2 3 fast; do
	for program in loop stl streams; do row "$value" "$program" "optimization=$value"; done
done
head static
for value in none libstdc++ all; do
	for program in start stl streams; do row "$value" "$program" "static=$value"; done
done
head sanitizers
for value in none address undefined address,undefined; do
	for program in start loop stl; do row "$value" "$program" "sanitizers=$value"; done
done
head stack-protector
for value in off on strong; do
	for program in loop stl; do row "$value" "$program" "stack-protector=$value"; done
done
head warnings
for value in none default all extra; do row "$value" stl "warnings=$value"; done
head standard
for value in 17 20 23; do row "$value" stl "standard=$value"; done
