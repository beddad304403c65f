/* touch MIB: writes to every page of so much fresh memory. */
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv) {
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 0) << 20;
	char *memory;

	if (size == 0) {
		return 2;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		return 3;
	}
	for (size_t i = 0; i < size; i += 4096) {
		((volatile char *)memory)[i] = 1;
	}
	return 0;
}
