package linux

// explain says of each finding what the mechanism is for; what is there needs no remedy.
func explain(findings []Finding) []Finding {
	for i := range findings {
		if findings[i].OK {
			findings[i].Remedy = ""
		}
		if findings[i].Meaning == "" {
			findings[i].Meaning = meaning(findings[i].Name)
		}
	}
	return findings
}

// meaning is what a mechanism is for, and with that what is lost without it.
func meaning(name string) string {
	switch name {
	case "kernel":
		return "older kernels lack calls that the sandbox is made with"
	case "root":
		return "without ids of its own, a slot shares with you and other slots what the kernel counts for a user; docs/sandbox.md, Without root"
	case "namespaces":
		return "they keep programs from seeing files, processes and networks of the host"
	case "cgroup":
		return "they limit and measure memory and CPU time of a run; without them, assay looks at its processes every few milliseconds (docs/sandbox.md, Without root)"
	case "cpu rate":
		return "limits.cpu_percent slows a run down instead of ending it"
	case "seccomp":
		return "programs make only the system calls that they need"
	case "landlock":
		return "a second layer under the read-only mounts"
	case "overlayfs":
		return "file locks on toolchain files are no channel between slots"
	case "core dumps":
		return "a crash of a program must not start a program of the host"
	case "overcommit":
		return "Go, Java and JavaScript reserve far more address space than they use"
	case "container":
		return "remedies name the container's flags instead of the host's settings"
	case "capabilities":
		return "ids of slots are mapped with SETUID and SETGID; on version 2 groups are handed over with CHOWN"
	case "user ids":
		return "each slot has two ids of the host that nobody else has"
	case "seccomp profile":
		return "slots are made of namespaces and mounts, which the usual profile of containers refuses"
	case "proc":
		return "the kernel gives a slot a /proc of its own only where the whole of /proc can be seen"
	case "device nodes":
		return "file locks on /dev/null and its like are no channel between slots"
	case "swap":
		return "a program that is swapped out gets slower at random; swap of programs is off where the kernel accounts it"
	case "cpu governor", "cpu turbo":
		return "with a changing clock rate the same program takes a different time each run"
	case "hyper-threading":
		return "runs on one core slow each other down"
	case "huge pages":
		return "memory readings of small programs grow by up to 2 MiB for each mapping"
	case "address randomisation":
		return "it makes exploits harder; with too many random bits sanitizers do not start"
	case "unprivileged namespaces":
		return "without root, slots are made of user namespaces that nobody but you has to allow"
	case "cpu quota":
		return "a quota stops all runs together for a part of each period: wall time grows, CPU time does not"
	case "memory of the group":
		return "when this is used up the kernel ends something, and a run can be told that the host is out of memory"
	case "cgroup kill":
		return "what a dead instance left is ended without a race"
	case "run folder":
		return "compiled programs are kept there, and are executed from there"
	}
	return ""
}
