// Uses memory: memory WHAT BYTES. Prints "done" when it had all of it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int touch(long bytes, int flags) {
	char *p = mmap(0, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return errno;
	for (long i = 0; i < bytes; i += 4096)
		p[i] = 1;
	return 0;
}

static int fill(int fd, long bytes) {
	static char block[1 << 20];
	memset(block, 1, sizeof block);
	if (fd < 0)
		return errno;
	for (long left = bytes; left > 0;) {
		ssize_t n = write(fd, block, left < (long)sizeof block ? left : (long)sizeof block);
		if (n < 0)
			return errno;
		left -= n;
	}
	return 0;
}

int main(int argc, char **argv) {
	if (argc < 3)
		return 98;
	const char *what = argv[1];
	long bytes = atol(argv[2]);
	int failed;
	if (!strcmp(what, "touch")) {
		failed = touch(bytes, MAP_PRIVATE);
	} else if (!strcmp(what, "shared")) {
		failed = touch(bytes, MAP_SHARED);
	} else if (!strcmp(what, "populate")) {
		void *p = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		failed = p == MAP_FAILED ? errno : 0;
	} else if (!strcmp(what, "tmpfs")) {
		failed = fill(open("/tmp/big", O_CREAT | O_WRONLY, 0600), bytes);
	} else if (!strcmp(what, "shm")) {
		failed = fill(open("/dev/shm/big", O_CREAT | O_WRONLY, 0600), bytes);
	} else if (!strcmp(what, "memfd")) {
		failed = fill(memfd_create("big", 0), bytes);
	} else if (!strcmp(what, "child")) { // the parent survives whatever happens to its child
		pid_t pid = fork();
		if (pid == 0)
			_exit(touch(bytes, MAP_PRIVATE));
		waitpid(pid, &failed, 0);
		for (int i = 0; i < 3; i++)
			waitpid(-1, 0, 0);
		if (failed) {
			printf("child gone\n");
			fflush(stdout);
			for (;;)
				pause();
		}
	} else {
		return 98;
	}
	if (failed) {
		printf("%s\n", strerror(failed));
		return 1;
	}
	printf("done\n");
	return 0;
}
