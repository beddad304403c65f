/* sleep: never ends, and uses no CPU time. */
#include <unistd.h>

int main(void) {
	for (;;) {
		pause();
	}
}
