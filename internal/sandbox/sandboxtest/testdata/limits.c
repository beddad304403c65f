// Runs into the limits on processes, files and stack: limits WHAT [NUMBER].
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void *hold(void *unused) {
	for (;;)
		pause();
	return unused;
}

// deep uses about one KiB of stack for each level.
static int __attribute__((noinline)) deep(long levels) {
	volatile char block[1024];
	block[0] = (char)levels;
	if (levels > 0)
		block[1] = (char)deep(levels - 1);
	return block[0] + block[1];
}

static int big(const char *path, long bytes) {
	static char block[65536];
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	long sum = 0;
	ssize_t n = 0;
	while (sum < bytes && (n = write(fd, block, sizeof block)) > 0)
		sum += n;
	int failed = n < 0 ? errno : 0;
	printf("%ld %s\n", sum, failed ? strerrorname_np(failed) : "ok");
	return 0;
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
	if (!strcmp(what, "fork") || !strcmp(what, "threads")) { // until it fails, but no more than n
		long made = 1;
		int failed = 0;
		while (!failed && made < n) {
			if (!strcmp(what, "threads")) {
				pthread_t t;
				failed = pthread_create(&t, 0, hold, 0);
			} else {
				pid_t pid = fork();
				if (pid == 0)
					hold(0);
				failed = pid < 0 ? errno : 0;
			}
			made += !failed;
		}
		printf("%ld %s\n", made, failed ? strerrorname_np(failed) : "ok");
		fflush(stdout);
		_exit(0);
	}
	if (!strcmp(what, "stack"))
		return deep(n) == 12345 ? 1 : 0;
	if (!strcmp(what, "big"))
		return big(argv[3], n);
	if (!strcmp(what, "big-ignoring")) {
		signal(SIGXFSZ, SIG_IGN);
		return big(argv[3], n);
	}
	if (!strcmp(what, "many")) { // bytes over several files, each below the limit for one
		for (int i = 0; i < 4; i++) {
			char name[64];
			snprintf(name, sizeof name, "%s/part%d", argv[3], i);
			big(name, n / 4);
		}
		return 0;
	}
	if (!strcmp(what, "files")) {
		long made = 0;
		for (; made < n; made++) {
			char name[64];
			snprintf(name, sizeof name, "f%ld", made);
			int fd = open(name, O_CREAT | O_WRONLY, 0600);
			if (fd < 0)
				break;
			close(fd);
		}
		printf("%ld %s\n", made, made < n ? strerrorname_np(errno) : "ok");
		return 0;
	}
	if (!strcmp(what, "sparse")) { // a size without blocks
		int fd = open(argv[3], O_CREAT | O_RDWR, 0644);
		if (ftruncate(fd, n))
			return errno;
		return 0;
	}
	if (!strcmp(what, "descriptors")) {
		long made = 0;
		while (made < n && open("/dev/null", O_RDONLY) >= 0)
			made++;
		printf("%ld %s\n", made, made < n ? strerrorname_np(errno) : "ok");
		return 0;
	}
	return 98;
}
