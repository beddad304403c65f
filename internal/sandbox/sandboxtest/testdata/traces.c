// Leaves traces of every kind that a later run could find, or looks for them: traces leave|find|keep [FILE TO
// LOCK].
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *folders[] = {"/box/work", "/box/tmp", "/box/shm", "/tmp", "/dev/shm", "/box", "/", "/dev", "/etc", "/var/tmp",
	"/run", "/usr", "/usr/local", "/root", "/home", "/proc", "/.private"};
enum { key = 0x5a5a };

static void tell(const char *what, int yes) {
	if (yes)
		printf("%s\n", what);
}

static int abstract(int take) {
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	memcpy(a.sun_path, "\0assay-trace", 12);
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 12;
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (take)
		return bind(s, (struct sockaddr *)&a, size) || listen(s, 1);
	return connect(s, (struct sockaddr *)&a, size);
}

static void leave(const char *path) {
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char name[100];
		snprintf(name, sizeof name, "%s/assay-trace", folders[i]);
		int fd = open(name, O_CREAT | O_RDWR, 0666);
		if (fd >= 0)
			flock(fd, LOCK_EX | LOCK_NB); // some folders are one and the same
	}
	int id = shmget(key, 4096, IPC_CREAT | 0666);
	if (id < 0 ? errno != ENOSYS : shmat(id, 0, 0) == (void *)-1) // may be forbidden
		printf("shm cannot be made\n");
	if (semget(key, 1, IPC_CREAT | 0666) < 0)
		printf("sem cannot be made\n");
	id = msgget(key, IPC_CREAT | 0666);
	struct { long type; char text[4]; } message = {1, "abc"};
	if (id < 0 || msgsnd(id, &message, 4, 0))
		printf("msg cannot be made\n");
	if (mq_open("/assay-trace", O_CREAT | O_RDWR, 0666, 0) < 0 && errno != ENOSYS && errno != EACCES) // may be forbidden
		printf("mq cannot be made: %s\n", strerrorname_np(errno));
	if (sem_open("/assay-trace", O_CREAT, 0666, 1) == SEM_FAILED)
		printf("named semaphore cannot be made\n");
	if (abstract(1))
		printf("abstract socket cannot be made\n");
	sethostname("trace", 5); // must fail; looked at below
	if (path && flock(open(path, O_RDONLY), LOCK_EX | LOCK_NB))
		printf("lock cannot be taken\n");
	for (int i = 0; i < 3; i++)
		fcntl(i, F_SETFL, fcntl(i, F_GETFL) | O_NONBLOCK | O_APPEND);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			setsid();
			for (int s = 1; s < NSIG; s++)
				signal(s, SIG_IGN);
			for (;;)
				pause();
		}
	printf("left\n");
}

static void find(const char *path) {
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char name[100];
		struct stat st;
		snprintf(name, sizeof name, "%s/assay-trace", folders[i]);
		tell(name, lstat(name, &st) == 0);
	}
	tell("shm", shmget(key, 0, 0) >= 0);
	tell("sem", semget(key, 0, 0) >= 0);
	tell("msg", msgget(key, 0) >= 0);
	tell("mq", mq_open("/assay-trace", O_RDWR) >= 0);
	tell("named semaphore", sem_open("/assay-trace", 0) != SEM_FAILED);
	tell("abstract socket", abstract(0) == 0);
	tell("abstract name taken", abstract(1) != 0);
	char host[100] = "";
	gethostname(host, sizeof host);
	tell("host name", strcmp(host, "trace") == 0);
	tell("lock", path && flock(open(path, O_RDONLY), LOCK_EX | LOCK_NB) != 0);
	for (int i = 0; i < 3; i++)
		tell("flags of a stream", fcntl(i, F_GETFL) & (O_NONBLOCK | O_APPEND));
	DIR *d = opendir("/proc");
	for (struct dirent *e; d && (e = readdir(d));) {
		int pid = atoi(e->d_name);
		if (pid > 0 && pid != getpid())
			printf("process %d\n", pid);
	}
	printf("looked\n");
}

// keep leaves everything and stays until it is told, for a look from another run meanwhile.
int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "", *path = argc > 2 ? argv[2] : 0;
	if (!strcmp(what, "leave")) {
		leave(path);
	} else if (!strcmp(what, "find")) {
		find(path);
	} else if (!strcmp(what, "keep")) {
		leave(path);
		fflush(stdout);
		char c;
		while (read(0, &c, 1) < 0 && errno == EAGAIN)
			usleep(1000);
	} else {
		return 98;
	}
	return 0;
}
