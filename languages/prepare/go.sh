#!/bin/sh
# Lays out what the sandbox needs to compile Go without `go build`: the compiler, the linker, the standard library's
# archives, and a small script that calls them. Does nothing when the folder already belongs to this Go release.
#
#   languages/prepare/go.sh TARGET        (default: /usr/local/lib/assay/go; $GO names the go command)
set -eu

target=${1:-/usr/local/lib/assay/go}
go=${GO:-}
if [ -z "$go" ]; then
	go=$(command -v go || true)
	[ -n "$go" ] || go=/usr/local/go/bin/go
fi
# The layout of this folder: raised when the script makes something different of the same release.
layout=1

export GOTOOLCHAIN=local GO111MODULE=off GOWORK=off GOFLAGS='' GOEXPERIMENT='' CGO_ENABLED=0 GOTELEMETRY=off
cd /
stamp="$("$go" env GOVERSION GOOS GOARCH | tr '\n' ' ')layout $layout"
if [ -x "$target/build" ] && [ "$(cat "$target/STAMP" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

mkdir -p "$(dirname "$target")"
new=$(mktemp -d "$target.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir "$new/bin" "$new/std"

tools=$("$go" env GOTOOLDIR)
cp "$tools/compile" "$tools/link" "$new/bin/"

# Names relative to the target, so that nothing in the folder depends on where it was made.
"$go" list -trimpath -export -f '{{if .Export}}{{.ImportPath}} {{.Export}}{{end}}' std |
	while read -r path archive; do
		file=$(printf %s "$path" | tr / +).a
		cp "$archive" "$new/std/$file"
		printf 'packagefile %s=%s/std/%s\n' "$path" "$target" "$file"
	done >"$new/importcfg"

cat >"$new/build" <<SCRIPT
#!/bin/sh
# build OUTPUT FILE.go...: compiles and links one program of package main.
set -e
out=\$1
shift
$target/bin/compile -p main -complete -trimpath "\$PWD" -c 2 -nolocalimports -importcfg $target/importcfg -pack -o /tmp/main.a "\$@"
printf 'packagefile main=/tmp/main.a\n' >/tmp/importcfg
cat $target/importcfg >>/tmp/importcfg
exec $target/bin/link -s -w -buildmode exe -importcfg /tmp/importcfg -o "\$out" /tmp/main.a
SCRIPT
chmod 755 "$new" "$new/build"
chmod -R a+rX "$new"
printf '%s\n' "$stamp" >"$new/STAMP"

rm -rf "$target"
mv "$new" "$target"
trap - EXIT
