#!/bin/bash
# Process 1 of a machine without systemd: the rest of the mounts, the job, the power.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777,size=3g tmpfs /tmp
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,gid=5,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
hostname machine
# As systemd has it; the kernel's 4096 are fewer than the files that a compiler may leave.
ulimit -n 524288
# A pipe, so that nothing takes the console for a terminal.
{
	setsid bash /job/job.sh "$(sed -n 's/.* job=\([^ ]*\).*/\1/p' /proc/cmdline)" </dev/null 2>&1
	echo "EXIT STATUS $?"
} | while IFS= read -r line; do
	printf '%s\n' "$line" >/dev/console
	# Not until the end of the pipe: whatever the job left behind may hold it.
	[[ $line != "EXIT STATUS"* ]] || break
done
echo o >/proc/sysrq-trigger
mkfifo /run/never
read -r _ </run/never # the end of process 1 would be a panic
