// Helpers of the hostile programs in C and C++: each attempt reports itself, and finish prints the last line.
#ifndef PROBE_H
#define PROBE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int probe_escapes;

// escaped reports an attempt that succeeded.
__attribute__((unused)) static void escaped(const char *what) {
    probe_escapes++;
    printf("ESCAPED: %s\n", what);
    fflush(stdout);
}

// is_denial says whether an errno means "you may not", as opposed to "you asked wrongly".
__attribute__((unused)) static int is_denial(int e) { return e == EPERM || e == ENOSYS || e == EACCES; }

// fails: the call must not succeed, whatever the reason.
__attribute__((unused)) static void fails(const char *what, long r) {
    if (r >= 0) escaped(what);
}

// denied: the call must be refused for want of permission. The callers pass harmless or invalid arguments, so that a
// kernel which would have let them is recognised by another errno and nothing happens.
__attribute__((unused)) static void denied(const char *what, long r) {
    int e = errno;
    if (r >= 0 || !is_denial(e)) {
        char line[200];
        snprintf(line, sizeof line, "%s (result %ld, %s)", what, r, r >= 0 ? "no error" : strerror(e));
        escaped(line);
    }
}

// denied_call: as denied, in a child, because the filter may also kill the caller.
__attribute__((unused)) static void denied_call(const char *what, long nr, long a, long b, long c, long d, long e, long f) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) { printf("fork failed\n"); return; }
    if (pid == 0) {
        long r = syscall(nr, a, b, c, d, e, f);
        _exit(r >= 0 ? 0 : errno & 0xff);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGKILL)) return;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (!is_denial(code)) {
        char line[200];
        snprintf(line, sizeof line, "%s (%s)", what, code == 0 ? "succeeded" : strerror(code));
        escaped(line);
    }
}

// unopenable: the path must not open with these flags.
__attribute__((unused)) static void unopenable(const char *path, int flags) {
    int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        escaped(path);
        close(fd);
    }
}

// finish prints the verdict of the program itself and its last line.
__attribute__((unused)) static int finish(void) {
    if (probe_escapes == 0) printf("held\n");
    printf("done\n");
    return 0;
}
#endif
