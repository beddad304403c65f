// Looks at its terminal: terminal WHAT.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t got;
static void note(int sig) { got = sig; }

static void size(void) {
	struct winsize w;
	if (ioctl(0, TIOCGWINSZ, &w))
		printf("no size\n");
	else
		printf("size %d %d\n", w.ws_row, w.ws_col);
	fflush(stdout);
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "look")) {
		printf("isatty %d %d %d\n", isatty(0), isatty(1), isatty(2));
		printf("session %d foreground %d\n", getsid(0) == getpid(), tcgetpgrp(0) == getpgrp());
		printf("tty %d\n", open("/dev/tty", O_RDWR) >= 0);
		size();
		return 0;
	}
	if (!strcmp(what, "resize") || !strcmp(what, "interrupt")) {
		int sig = what[0] == 'r' ? SIGWINCH : SIGINT;
		sigset_t block, old;
		sigemptyset(&block);
		sigaddset(&block, sig);
		sigprocmask(SIG_BLOCK, &block, &old);
		signal(sig, note);
		printf("ready\n");
		fflush(stdout);
		while (!got)
			sigsuspend(&old);
		printf("signal %d\n", (int)got);
		size();
		return 0;
	}
	if (!strcmp(what, "echo")) {
		char line[100];
		printf("ready\n");
		fflush(stdout);
		if (!fgets(line, sizeof line, stdin))
			return 1;
		printf("line %s", line);
		return 0;
	}
	return 98;
}
