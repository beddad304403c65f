// Package linux is the native sandbox driver: it runs untrusted programs with what the Linux kernel offers, without a daemon,
// a set-user-ID helper or a container engine.
//
// A Driver owns one instance folder (instance.go), one control group (package cgroup) and a pool of slots (driver.go). A
// slot is a prepared sandbox (slot.go): an init process in its own namespaces with its own root (package stub), and a
// control group. Start hands a slot one run (run.go): it sends the request, then supervises: it reads the streams
// (streams.go), watches the limits that no kernel mechanism ends by itself, and collects what was left (outputs.go).
//
// What belongs to a slot and stays: the user, network, uts and cgroup namespaces, the read-only root, the group. What is
// new for each run: the pid, mount and ipc namespaces, /proc, and the tmpfs behind the working folder, /tmp and /dev/shm.
// When anything about a slot is in doubt, it is destroyed and replaced.
package linux
