package app

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reapInterval is how long a dead process of somebody else's may stay, at most twice over.
const reapInterval = 5 * time.Second

// reaper does what the first process of a container has to: it takes in processes whose parent has ended, and must wait for
// them, or they stay as zombies and use up the container's limit. What assay started itself is waited for elsewhere, at once. So
// only who was dead at two looks in a row is nobody's.
type reaper struct {
	files fs.FS // /proc
	self  int
	wait  func(pid int)
	dead  map[int]string // pid to start time, as of the last look
}

// reapOrphans is the reaper's life. It returns at once where assay is not the first process.
func reapOrphans(ctx context.Context) {
	if os.Getpid() != 1 {
		return
	}
	r := &reaper{files: os.DirFS("/proc"), self: os.Getpid(), wait: func(pid int) {
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // gone already: somebody did wait
	}}
	t := time.NewTicker(reapInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.look()
		case <-ctx.Done():
			return
		}
	}
}

func (r *reaper) look() {
	entries, err := fs.ReadDir(r.files, ".")
	if err != nil {
		return
	}
	before := r.dead
	r.dead = map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := fs.ReadFile(r.files, e.Name()+"/stat")
		if err != nil {
			continue // gone
		}
		started, ok := deadChild(stat, r.self)
		switch {
		case !ok:
		case before[pid] == started:
			r.wait(pid)
		default:
			r.dead[pid] = started
		}
	}
}

// deadChild reads /proc/PID/stat and gives the start time of a zombie that parent has to wait for (proc_pid_stat(5)).
func deadChild(stat []byte, parent int) (started string, ok bool) {
	// The name may hold anything, even brackets.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, ppid, starttime = 0, 1, 19
	if len(fields) <= starttime || string(fields[state]) != "Z" || string(fields[ppid]) != strconv.Itoa(parent) {
		return "", false
	}
	return string(fields[starttime]), true
}
