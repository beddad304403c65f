#!/bin/busybox sh
# shellcheck shell=dash
# The initramfs: modules, mounts, and over to the root's own process 1, which the kernel's command line names (first=).
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ifconfig lo 127.0.0.1 up
# There is no depmod here: what fails for want of another module succeeds in a later pass.
for _ in 1 2 3 4; do
	for m in /modules/*; do insmod "$m" 2>/dev/null; done
done
mkdir -p /mnt/low /mnt/rw /mnt/root
n=0
until [ -b /dev/vdb ] || [ $n = 100 ]; do
	n=$((n + 1))
	usleep 50000
done
mount -t squashfs -o ro /dev/vda /mnt/low
mount -t tmpfs -o size=2g tmpfs /mnt/rw
mkdir /mnt/rw/up /mnt/rw/work
mount -t overlay -o lowerdir=/mnt/low,upperdir=/mnt/rw/up,workdir=/mnt/rw/work overlay /mnt/root
cp /machine.sh /mnt/root/machine.sh
mkdir -p /mnt/root/job
tar -C /mnt/root/job -xf /dev/vdb
cp /mnt/root/job/*.service /mnt/root/etc/systemd/system/
mount --move /proc /mnt/root/proc
mount --move /sys /mnt/root/sys
mount --move /dev /mnt/root/dev
first=$(sed -n 's/.* first=\([^ ]*\).*/\1/p' /mnt/root/proc/cmdline)
exec switch_root /mnt/root "${first:-/machine.sh}"
