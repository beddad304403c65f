#!/usr/bin/env bash
# Measures how far readings are off on control groups of version 2, in an emulated machine (bench/run.sh accuracy does it on
# this one):
#
#   test/vm/accuracy.sh
#
# Needs what ./test.sh vm installs. VM_CACHE=FOLDER keeps the image, or takes the one that is there.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/go.sh
. "$here/../../scripts/go.sh"
find_go
temp=$(mktemp -d)
chmod 711 "$temp"
trap 'rm -rf "$temp"' EXIT
image=${VM_CACHE:-$temp/image}
"$here/image.sh" "$image" >&2
"$here/prepare.sh" "$temp/job" >&2
"$here/boot.sh" "$image" "$temp/job" accuracy 900 "$temp/events"
