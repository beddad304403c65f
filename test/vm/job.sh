#!/bin/bash
# What the machine does: measures how slow it is, then runs tests in several layouts of control groups. prepare.sh puts the
# binaries beside it. $1 names the job, see the end; the first virtual port takes what `go test -json` would print.
#
# Layouts, each as some host has it:
#   root       the hierarchy's own root, as process 1 and a shell on a machine without systemd find it
#   service    a delegated group below system.slice, alone in it, as systemd starts a service
#   session    a group that a shell is in, too, as in a login session
#   user       a delegated group that belongs to an ordinary user, as a user's own systemd has it
#   nobody     an ordinary user in a group of root's
#   container  a group namespace: the group is the topmost that can be seen, and it is not the hierarchy's root
#   systemd    a service of a real systemd, with Delegate=yes
# shellcheck disable=SC2317 # check and launch call functions by name
set -u
cd /job || exit 1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec 3>/dev/vport0p1

top=/sys/fs/cgroup
failed=0

say() { echo "== $* (up $(cut -d' ' -f1 /proc/uptime) s)"; }

# event ACTION NAME: one line of `go test -json`.
event() { printf '{"Action":"%s","Package":"assay/test/vm","Test":"%s"}\n' "$1" "$2" >&3; }

# check NAME COMMAND...: one test. What it prints is shown when it fails.
check() {
	local name=$1 log=/tmp/check.log
	shift
	if "$@" >"$log" 2>&1; then
		event pass "$name"
	else
		echo "-- $name failed:"
		cat "$log"
		event fail "$name"
		failed=1
	fi
}

# in_group GROUP COMMAND...: runs a command in a group, with nobody beside it.
in_group() {
	local group=$1
	shift
	bash -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' in_group "$group" "$@"
}

# in_container GROUP COMMAND...: the same with a group namespace and a mount of the hierarchy of its own.
in_container() {
	local group=$1
	shift
	in_group "$group" unshare -C -m --propagation private \
		sh -c 'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' in_container "$@"
}

# as_user GROUP COMMAND...: runs a command in a group as the image's ordinary user, who has a folder for temporary files.
as_user() {
	local group=$1
	shift
	in_group "$group" setpriv --reuid 1000 --regid 1000 --clear-groups \
		env HOME=/home/user TMPDIR=/tmp/user "$@"
}

# in_service COMMAND...: runs a command as a service of systemd that has a delegated group, alone in it.
in_service() {
	printf '%q ' cd "$PWD" >/run/assay-command
	printf '\nexec ' >>/run/assay-command
	printf '%q ' env "ASSAY_TEST_TIME_FACTOR=$ASSAY_TEST_TIME_FACTOR" "$@" >>/run/assay-command
	systemctl --quiet start assay-test.service
	local status=$?
	cat /run/assay-output
	return "$status"
}

# suite LAYOUT BINARY [ARGUMENTS]: a test binary in its own folder, launched as the layout wants it, each test counted. That
# the binary came to a good end is one more test, since a binary that dies may have nothing to say.
suite() {
	local layout=$1 binary=$2 name="$1: $2 came to its end" status
	shift 2
	say "$layout: $binary $*"
	(cd "$binary" && "${launch[@]}" "../$binary.test" -test.v=test2json -test.timeout 40m "$@" 2>&1) | ./test2json -t -p "assay/$binary [$layout]" >&3
	status=${PIPESTATUS[0]}
	if [ "$status" -eq 0 ]; then
		event pass "$name"
	else
		echo "-- $name: status $status"
		event fail "$name"
		failed=1
	fi
	check "$layout: nothing is left by $binary" nothing_left
}

# nothing_left: no group of assay's, no process of a slot, and no instance's folder.
nothing_left() {
	local left
	left=$(
		find "$top" -type d -name 'assay-*' ! -name '*.service' ! -path '*/killed.service/assay-supervisor'
		find /run/assay -mindepth 1 -maxdepth 1 ! -name versions.json 2>/dev/null
		pgrep -l assay
	)
	[ -z "$left" ] || {
		echo "left: $left"
		return 1
	}
}

# prints TEXT COMMAND...: the command succeeds and prints exactly the text.
prints() {
	local want=$1 got
	shift
	if ! got=$("$@") || [ "$got" != "$want" ]; then
		echo "got: $got"
		return 1
	fi
}

# command_line LAYOUT: what a user does first.
command_line() {
	local layout=$1
	say "$layout: command line"
	check "$layout: doctor" "${launch[@]}" ./assay doctor
	check "$layout: run" prints "Hello, world" "${launch[@]}" ./assay run hello.c
	check "$layout: run with a CPU rate" prints "Hello, world" "${launch[@]}" ./assay run --cpu-percent 50 --wall-limit 100s hello.c
	check "$layout: nothing is left by the command line" nothing_left
}

# delegated PATH: makes a group below the root with controllers on above it and not in it.
delegated() {
	local at=$top part
	local -a parts
	IFS=/ read -ra parts <<<"$1"
	for part in "${parts[@]}"; do
		echo "+memory +pids +cpu" >"$at/cgroup.subtree_control" || exit 1
		at=$at/$part
		mkdir -p "$at"
	done
	echo "$at"
}

measure() {
	ASSAY_TEST_TIME_FACTOR=$(./pace "$(cat host-pace)") || exit 1
	export ASSAY_TEST_TIME_FACTOR
	say "this machine takes $ASSAY_TEST_TIME_FACTOR times as long as its host"
}

languages() {
	say "languages test"
	check "languages test" "${launch[@]}" ./assay languages test --time-factor "$ASSAY_TEST_TIME_FACTOR" c cpp python java
}

# user runs what is said of who is not root: the tests that TestRootless of the driver names, in a group of the user's own.
user() {
	local group
	local -r common='Conformance|SharedID|ClosedFolder|RefusesWithoutGroups|InitIsClosed|NothingInherited|DeadInstance|SweepLeavesOthersAlone|OpenRefuses|IdleSlotDies|BusySlotDies|ProgramKilledOutside|Close|CloseAtOnce|Gentle|Root'
	install -d -o user -g user -m 711 /tmp/user
	group=$(delegated user.slice/user-1000.slice/app.slice)
	chown user:user "$group" "$group"/cgroup.{procs,threads,subtree_control}
	launch=(as_user "$group")
	suite user cgroup
	suite user linux -test.run "^Test($common)\$"
	HOSTILE_ROOTLESS=group ASSAY_HOSTILE_COMPILED=/job/compiled suite user hostile -test.run '^TestHostile$/^cases$/^(escape|leak|persist|network)$'
	check "user: run" prints "Hello, world" "${launch[@]}" ./assay run --allow-degraded --run-dir /tmp/user/run hello.c
	launch=(as_user "$top" env ASSAY_TEST_DEGRADED=1)
	check "nobody: run" prints "Hello, world" "${launch[@]}" ./assay run --allow-degraded --run-dir /tmp/user/run hello.c
	check "user: nothing is left by the command line" nothing_left
}

# plain is the machine without systemd.
plain() {
	local group
	measure
	launch=(in_group "$top")
	suite root cgroup
	suite root probe
	suite root linux
	command_line root

	group=$(delegated system.slice/assay.service)
	launch=(in_group "$group")
	suite service cgroup
	suite service probe
	ASSAY_HOSTILE_COMPILED=/job/compiled suite service hostile
	command_line service
	languages

	# Killed instances leave the leaf to a successor in the same run folder, and these tests have a folder each: a group of its own.
	group=$(delegated system.slice/killed.service)
	launch=(in_group "$group")
	suite service linux -test.run 'Dead|Sweep|Nothing|Init|Root|Version2'

	group=$(delegated user.slice/user-0.slice/session-1.scope)
	in_group "$group" sleep infinity &
	launch=(in_group "$group")
	suite session cgroup
	command_line session
	kill %1

	user

	group=$(delegated machine.slice/container.scope)
	launch=(in_container "$group")
	suite container cgroup
	command_line container
}

# systemd is a machine with systemd; this job is a service of it.
systemd() {
	measure
	launch=(in_service)
	suite systemd cgroup
	suite systemd linux -test.run 'Conformance|Dead|Version2'
	command_line systemd
}

# accuracy prints how far readings are off, see bench/accuracy. The start and the end of a program take milliseconds here, so the loop is a
# long one.
accuracy() {
	local group
	group=$(delegated system.slice/assay.service)
	install -d -m 711 /run/accuracy
	in_group "$group" ./bench-accuracy -programs /job -run-dir /run/accuracy -loop 1s -runs 10 || failed=1
}

case $1 in
accuracy) accuracy ;;
plain) plain ;;
systemd) systemd ;;
*) failed=2 ;;
esac
say "the end, status $failed"
exit "$failed"
