#!/usr/bin/env bash
# Makes what boot.sh boots: a Debian root with the toolchains of the hostile suite and systemd, the cloud kernel, an initramfs.
#
#   test/vm/image.sh FOLDER
#
# FOLDER gets root.squashfs, vmlinuz and initrd.gz. What is there already is kept, so a folder that stays from call to call is a
# cache: remove it after a change of this file. The root takes about a minute and 1.5 GB while it is made. Needs root, and
# mmdebstrap, squashfs-tools, busybox-static, cpio. APT_OPTIONS are options for apt, for a kernel from other sources
# than this machine's.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
cd "$1"
read -ra apt_options <<<"${APT_OPTIONS-}"

packages=(
	gcc g++ libc6-dev python3 openjdk-17-jdk-headless nodejs rustc-web # what the cases are written in
	procps util-linux systemd                                          # what the layouts are made with
)

# What no package brings is taken from this machine, where run.sh has put it.
local_tools() {
	tar -C / -cf - usr/local/lib/assay/go usr/local/lib/node_modules/typescript usr/local/lib/node_modules/@types
}

# shellcheck disable=SC2016 # mmdebstrap's hooks are commands of their own
# The root goes straight from a tar to the image. It is not compressed: reading is what the machine does often, with a slow processor.
make_root() {
	local release joined
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	joined=$(
		IFS=,
		echo "${packages[*]}"
	)
	local_tools >local.tar
	mmdebstrap --quiet --variant=minbase --include="$joined" \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='tar-in local.tar /' \
		--customize-hook='useradd --root "$1" --uid 1000 --create-home --shell /bin/bash user' \
		"$release" - |
		sqfstar -noI -noD -noF -noX -quiet -no-progress root.new
	rm local.tar
	mv root.new root.squashfs
}

make_kernel() {
	local package
	package=$(apt-cache "${apt_options[@]}" depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	rm -rf kernel
	mkdir kernel
	(cd kernel && apt-get "${apt_options[@]}" -q download "$package" && dpkg -x "$package"_*.deb .)
	cp kernel/boot/vmlinuz-* vmlinuz
}

# The modules that it takes to reach the root, and the two scripts that get there and beyond.
make_initrd() {
	local module
	if ldd /bin/busybox >/dev/null 2>&1; then
		echo "/bin/busybox needs libraries: apt-get install busybox-static" >&2
		exit 1
	fi
	rm -rf initrd
	mkdir -p initrd/bin initrd/modules initrd/proc initrd/sys initrd/dev initrd/mnt
	cp /bin/busybox initrd/bin/busybox
	for module in virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console squashfs overlay; do
		find kernel/lib/modules -name "$module.ko*" -exec cp {} initrd/modules/ \;
	done
	find initrd/modules -name '*.xz' -exec unxz {} +
	install -m 755 "$here/init.sh" initrd/init
	install -m 755 "$here/machine.sh" initrd/machine.sh
	(cd initrd && find . | cpio --quiet -o -H newc | gzip -1) >initrd.gz
	rm -rf initrd
}

[ -e root.squashfs ] || make_root
[ -e vmlinuz ] || make_kernel
make_initrd
