#!/usr/bin/env bash
# Boots an image of image.sh and runs a job in it:
#
#   test/vm/boot.sh IMAGE JOB NAME SECONDS EVENTS
#
# The content of the folder JOB is put in /job of the machine, where job.sh is run with NAME; for "systemd", by a real one. What
# the job writes to /dev/vport0p1 is added to the file EVENTS; the console is printed. Ends with the job's status, with 124 when
# the time is up, with 125 when the machine ended without a status. MEMORY is the machine's, in MiB.
#
# CPU is the processor. QEMU 7.2 emulates two things wrongly: a far return to 32-bit code reads the stack as the kernel does, which
# smap then forbids; and cmpxchg16b, so that Linux 6.3 and newer need "max,-smap,-cx16". Processors are emulated, so this works in a
# machine that is itself virtual.
set -euo pipefail

image=$1 job=$2 name=$3 seconds=$4 events=$5
first=/machine.sh
[ "$name" != systemd ] || first=/lib/systemd/systemd
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
tar -C "$job" -cf "$temp/job" .
truncate -s %1M "$temp/job"
status=0
timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu "${CPU:-max,-smap}" -smp 2 -m "${MEMORY:-4096}" \
	-nographic -no-reboot -nic none -monitor none -serial "file:$temp/console" \
	-device virtio-serial -chardev "file,id=events,path=$events,append=on" -device virtserialport,chardev=events,name=events \
	-kernel "$image/vmlinuz" -initrd "$image/initrd.gz" \
	-append "console=ttyS0 panic=1 loglevel=3 cgroup_no_v1=all first=$first job=$name systemd.show_status=0 systemd.unit=assay-job.service" \
	-drive "file=$image/root.squashfs,format=raw,if=virtio,readonly=on" \
	-drive "file=$temp/job,format=raw,if=virtio,readonly=on" </dev/null >/dev/null || status=$?
tr -d '\r' <"$temp/console"
[ "$status" -ne 124 ] || exit 124
status=$(tr -d '\r' <"$temp/console" | sed -n 's/^EXIT STATUS \([0-9]*\)$/\1/p' | tail -n 1)
exit "${status:-125}"
