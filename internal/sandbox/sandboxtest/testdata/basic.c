// How a program begins, talks and ends: basic WHAT [ARGUMENT...].
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void list(char **v) {
	for (; *v; v++)
		fwrite(*v, 1, strlen(*v) + 1, stdout);
}

// fill writes n bytes to a descriptor, or bytes without end when n is negative.
static int fill(int fd, long n) {
	static char block[65536];
	memset(block, 'x', sizeof block);
	while (n != 0) {
		size_t want = n < 0 || n > (long)sizeof block ? sizeof block : (size_t)n;
		ssize_t got = write(fd, block, want);
		if (got < 0)
			return errno;
		if (n > 0)
			n -= got;
	}
	return 0;
}

static int descriptors(void) {
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			printf("%d ", fd);
	putchar('\n');
	return 0;
}

static volatile sig_atomic_t got;
static void note(int sig) { got = sig; }

// caught tells that it is ready, waits for a signal and names it.
static int caught(void) {
	sigset_t all, old;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int s = 1; s < NSIG; s++)
		signal(s, note);
	printf("ready\n");
	fflush(stdout);
	while (!got)
		sigsuspend(&old);
	printf("%d\n", (int)got);
	return 0;
}

// count reads all of the input and tells how much there was.
static int count(void) {
	static char block[65536];
	long sum = 0;
	for (ssize_t n; (n = read(0, block, sizeof block)) > 0;)
		sum += n;
	printf("%ld\n", sum);
	return 0;
}

// child leaves a process behind that holds the streams, and ends.
static int child(int session) {
	if (fork() == 0) {
		if (session)
			setsid();
		for (;;)
			pause();
	}
	printf("parent ends\n");
	return 0;
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
	if (!strcmp(what, "args")) {
		list(argv);
		return 0;
	}
	if (!strcmp(what, "env")) {
		list(environ);
		return 0;
	}
	if (!strcmp(what, "exit"))
		_exit((int)n);
	if (!strcmp(what, "raise")) {
		raise((int)n);
		return 99;
	}
	if (!strcmp(what, "kill")) {
		kill(getpid(), (int)n);
		return 99;
	}
	if (!strcmp(what, "abort"))
		abort();
	if (!strcmp(what, "segv")) {
		*(volatile int *)8 = 1;
		return 99;
	}
	if (!strcmp(what, "divide")) {
		volatile int number = 100, zero = 0;
		return number / zero;
	}
	if (!strcmp(what, "write"))
		return fill((int)n, atol(argv[3]));
	if (!strcmp(what, "descriptors"))
		return descriptors();
	if (!strcmp(what, "caught"))
		return caught();
	if (!strcmp(what, "count"))
		return count();
	if (!strcmp(what, "talk")) { // one line out, one in, one out
		char line[100];
		if (write(1, "first\n", 6) != 6 || !fgets(line, sizeof line, stdin))
			return 1;
		printf("got %s", line);
		return 0;
	}
	if (!strcmp(what, "close-input")) {
		close(0);
		printf("closed\n");
		return 0;
	}
	if (!strcmp(what, "wait"))
		for (;;)
			pause();
	if (!strcmp(what, "say-and-wait")) {
		if (write(1, "ready\n", 6) != 6)
			return 1;
		for (;;)
			pause();
	}
	if (!strcmp(what, "stop")) {
		raise(SIGSTOP);
		return 0;
	}
	if (!strcmp(what, "child"))
		return child(0);
	if (!strcmp(what, "daemon"))
		return child(1);
	if (!strcmp(what, "ignore-all")) { // nothing but SIGKILL ends it
		for (int s = 1; s < NSIG; s++)
			signal(s, SIG_IGN);
		if (write(1, "ready\n", 6) != 6)
			return 1;
		for (;;)
			pause();
	}
	return 98;
}
