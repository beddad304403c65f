// Prints what it finds itself to be, one "name value" for each line.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void text(const char *name, const char *value) { printf("%s %s\n", name, value); }
static void number(const char *name, long value) { printf("%s %ld\n", name, value); }
static const char *result(int failed) { return failed ? strerrorname_np(errno) : "allowed"; }

static void limit(const char *name, int which) {
	struct rlimit r;
	getrlimit(which, &r);
	printf("%s %ld %ld\n", name, (long)r.rlim_cur, (long)r.rlim_max);
}

static void copy(const char *file, const char *start) {
	char line[4096];
	FILE *f = fopen(file, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, start, strlen(start)) && strchr(line, ':')) {
			char *v = strchr(line, ':') + 1;
			v += strspn(v, " \t");
			v[strcspn(v, "\n")] = 0;
			for (char *c = v; *c; c++)
				if (*c == '\t')
					*c = ' ';
			printf("%s %s\n", start, v);
		}
	if (f)
		fclose(f);
}

static void flags(const char *path) {
	struct statvfs s;
	if (statvfs(path, &s)) {
		printf("mount:%s %s\n", path, strerrorname_np(errno));
		return;
	}
	printf("mount:%s %s%s%s%s\n", path, s.f_flag & ST_RDONLY ? "ro" : "rw", s.f_flag & ST_NOSUID ? " nosuid" : "",
		s.f_flag & ST_NODEV ? " nodev" : "", s.f_flag & ST_NOEXEC ? " noexec" : "");
}

static void writes(const char *path) {
	char name[100];
	snprintf(name, sizeof name, "open:%s", path);
	text(name, result(open(path, O_WRONLY) < 0));
}

static void streams(void) {
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("descriptor %d flags %d\n", fd, fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND));
}

static void signals(void) {
	sigset_t mask;
	sigprocmask(SIG_BLOCK, 0, &mask);
	for (int s = 1; s < NSIG; s++) {
		struct sigaction a;
		if (sigismember(&mask, s) == 1)
			number("blocked", s);
		if (sigaction(s, 0, &a) == 0 && a.sa_handler != SIG_DFL)
			number("not-default", s);
	}
}

static void processes(void) {
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			text(atoi(e->d_name) == getpid() ? "proc-self" : "proc", e->d_name);
	text("proc1", result(access("/proc/1/status", F_OK)));
	text("kill1", result(kill(1, 0)));
	text("kill-parent", result(kill(getppid(), SIGTERM)));
}

int main(void) {
	char buf[4096];
	number("pid", getpid());
	number("session-leader", getsid(0) == getpid());
	number("group-leader", getpgrp() == getpid());
	printf("ids %d %d %d %d groups %d\n", getuid(), geteuid(), getgid(), getegid(), getgroups(0, 0));
	text("cwd", getcwd(buf, sizeof buf) ? buf : "-");
	gethostname(buf, sizeof buf);
	text("hostname", buf);
	mode_t mask = umask(0);
	printf("umask %03o\n", mask);
	number("dumpable", prctl(PR_GET_DUMPABLE));
	number("personality", personality(0xffffffff));
	number("nice", getpriority(PRIO_PROCESS, 0));
	number("scheduler", sched_getscheduler(0));
	number("pdeathsig", prctl(PR_GET_PDEATHSIG, buf) ? -1 : *(int *)buf);
	limit("stack", RLIMIT_STACK);
	limit("core", RLIMIT_CORE);
	limit("nofile", RLIMIT_NOFILE);
	limit("memlock", RLIMIT_MEMLOCK);
	limit("msgqueue", RLIMIT_MSGQUEUE);
	limit("rtprio", RLIMIT_RTPRIO);
	limit("nicelimit", RLIMIT_NICE);
	limit("sigpending", RLIMIT_SIGPENDING);
	limit("as", RLIMIT_AS);
	limit("data", RLIMIT_DATA);
	limit("cpu", RLIMIT_CPU);
	limit("fsize", RLIMIT_FSIZE);
	const char *status[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:", "Threads", "SigQ"};
	for (size_t i = 0; i < sizeof status / sizeof *status; i++)
		copy("/proc/self/status", status[i]);
	FILE *f = fopen("/proc/self/oom_score_adj", "r");
	text("oom_score_adj", f && fgets(buf, sizeof buf, f) ? strtok(buf, "\n") : "-");
	if (f)
		fclose(f);
	streams();
	signals();
	processes();
	const char *paths[] = {"/", "/box/work", "/tmp/", "/dev/shm/", "/usr", "/proc", "/dev/null"};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		flags(paths[i]);
	const char *closed[] = {"/proc/self/mem", "/proc/self/oom_score_adj", "/proc/self/comm", "/proc/self/uid_map",
		"/proc/self/clear_refs", "/proc/self/timerslack_ns", "/proc/self/coredump_filter", "/usr/bin/env", "/etc/passwd"};
	for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
		writes(closed[i]);
	const char *absent[] = {"/sys", "/proc/meminfo", "/proc/cpuinfo", "/proc/sys", "/proc/1", "/proc/mounts", "/root", "/home", "/run",
		"/etc/shadow", "/etc/hostname", "/etc/resolv.conf", "/dev/mem", "/dev/kmsg", "/dev/ptmx", "/dev/sda"};
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
		char name[100];
		snprintf(name, sizeof name, "absent:%s", absent[i]);
		FILE *g = fopen(absent[i], "r");
		number(name, g == 0 || fread(buf, 1, 1, g) != 1);
	}
	text("private", result(access("/.private/artifacts", F_OK)));
	text("inet", result(socket(AF_INET, SOCK_STREAM, 0) < 0));
	text("inet6", result(socket(AF_INET6, SOCK_DGRAM, 0) < 0));
	text("netlink", result(socket(AF_NETLINK, SOCK_RAW, 0) < 0));
	text("unix", result(socket(AF_UNIX, SOCK_STREAM, 0) < 0));
	text("unshare", result(unshare(CLONE_NEWUSER)));
	text("mknod-device", result(mknod("null", S_IFCHR | 0666, 0x103)));
	text("mknod-fifo", result(mknod("fifo", S_IFIFO | 0666, 0)));
	text("setuid", result(setuid(0)));
	text("chown", result(chown("fifo", 0, 0)));
	text("rename-across", result(open("a", O_CREAT | O_WRONLY, 0600) < 0 || rename("a", "/tmp/a")));
	return 0;
}
