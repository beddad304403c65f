// Uses CPU time: cpu WHAT [NUMBER].
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned long sink;

static void *spin(void *unused) {
	(void)unused;
	for (;;)
		sink++;
	return 0;
}

static long micros(int who) {
	struct rusage u;
	getrusage(who, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

// burn uses about so many milliseconds by its own clock.
static void burn(long ms) {
	while (micros(RUSAGE_SELF) < ms * 1000)
		for (int i = 0; i < 10000; i++)
			sink++;
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
	if (!strcmp(what, "spin"))
		spin(0);
	if (!strcmp(what, "threads")) {
		for (long i = 1; i < n; i++) {
			pthread_t t;
			if (pthread_create(&t, 0, spin, 0))
				return 97;
		}
		spin(0);
	}
	if (!strcmp(what, "children")) { // short ones, one after the other, that nobody waits for
		for (;;) {
			pid_t pid = fork();
			if (pid == 0) {
				// A grandchild is inherited by pid 1: its time is in nobody's getrusage.
				if (fork() == 0)
					burn(20);
				_exit(0);
			}
			if (pid > 0)
				waitpid(pid, 0, 0);
			else
				usleep(1000);
		}
	}
	if (!strcmp(what, "burn")) { // prints its own reading
		burn(n);
		printf("%ld\n", micros(RUSAGE_SELF));
		return 0;
	}
	if (!strcmp(what, "burn-in-children")) {
		for (int i = 0; i < 4; i++)
			if (fork() == 0) {
				burn(n);
				_exit(0);
			}
		while (wait(0) > 0)
			;
		printf("%ld\n", micros(RUSAGE_SELF) + micros(RUSAGE_CHILDREN));
		return 0;
	}
	return 98;
}
