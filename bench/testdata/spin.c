/* spin ITERATIONS [CHILDREN]: a fixed amount of work, in this process, or split evenly over so many children that run at
   the same time. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void spin(unsigned long iterations) {
	for (unsigned long i = 0; i < iterations; i++) {
		__asm__ volatile("" : "+r"(i));
	}
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
		return 0;
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
	return failed;
}
