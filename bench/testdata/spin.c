/* spin ITERATIONS [CHILDREN]: a fixed amount of work, in this process, or split evenly over so many children that run at
   the same time. Prints the CPU time of all of them, as getrusage gives it, in microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void spin(unsigned long iterations) {
	for (unsigned long i = 0; i < iterations; i++) {
		__asm__ volatile("" : "+r"(i));
	}
}

static long micros(int who) {
	struct rusage u;

	if (getrusage(who, &u) != 0) {
		return 0;
	}
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static int finish(int status) {
	printf("%ld\n", micros(RUSAGE_SELF) + micros(RUSAGE_CHILDREN));
	return status;
}

int main(int argc, char **argv) {
	unsigned long iterations = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	int children = argc > 2 ? atoi(argv[2]) : 0;
	int failed = 0, status;

	if (iterations == 0 || children < 0 || children > 32) {
		return 2;
	}
	if (children == 0) {
		spin(iterations);
		return finish(0);
	}
	for (int i = 0; i < children; i++) {
		pid_t child = fork();
		if (child < 0) {
			return 3;
		}
		if (child == 0) {
			spin(iterations / (unsigned long)children);
			_exit(0);
		}
	}
	while (wait(&status) > 0) {
		failed |= status != 0;
	}
	return finish(failed);
}
