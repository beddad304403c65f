package linux

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"assay/internal/config"
	"assay/internal/fault"
	"assay/internal/sandbox/linux/cgroup"
	"assay/internal/sandbox/linux/seccomp"
	"assay/internal/sandbox/linux/stub"
)

// Options configure a Driver.
type Options struct {
	// RunDir is the folder for instances; "" is config.RunDir's. A tmpfs is best: compiled programs are kept there.
	RunDir string
	// Slots is how many runs can be under way at once; 0 is one for each CPU.
	Slots int
	// Folders are host folders shown read-only in every sandbox, beside /usr and its like.
	Folders []string
	// Logger gets what operators should know; nil is slog.Default.
	Logger *slog.Logger
	// AllowDegraded starts even when an isolation mechanism is missing (see Inspect).
	AllowDegraded bool
}

// Driver runs programs in a pool of slots. It is safe for concurrent use.
type Driver struct {
	log      *slog.Logger
	instance *instance
	parent   cgroup.Parent
	identity identity
	setup    stub.Setup
	total    int

	free      chan *slot
	builds    chan int // numbers of slots to build
	stop      chan struct{}
	builder   sync.WaitGroup
	mu        sync.Mutex
	closed    bool
	runs      sync.WaitGroup        // runs under way; none is added once closed is set
	failure   atomic.Pointer[error] // why the last attempt to build a slot failed
	artifacts atomic.Uint64
}

// Main takes over when this process was started as a slot's init, and then does not return. Call it first in main.
func Main() {
	if len(os.Args) == 1 && os.Args[0] == stub.Arg0 {
		stub.Main()
	}
}

// Open removes what dead instances left, takes a share of the run folder, and begins to build slots. The first Start
// waits until one is ready.
func Open(ctx context.Context, o Options) (*Driver, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.RunDir == "" {
		o.RunDir = config.RunDir(os.Geteuid(), os.Getenv)
	}
	if o.Slots == 0 {
		o.Slots = runtime.NumCPU()
	}
	if o.Slots < 0 || o.Slots > slotsPerHost/2 {
		return nil, fault.Invalidf("slots", fmt.Sprintf("give 0 to %d", slotsPerHost/2), "%d is out of range", o.Slots)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := refuseDegraded(o); err != nil {
		return nil, err
	}
	token, err := newToken()
	if err != nil {
		return nil, err
	}
	runDir, err := filepath.Abs(o.RunDir)
	if err != nil {
		return nil, fault.Internalf(err, "resolving the run folder")
	}
	id := ownIdentity()
	in, err := openInstance(runDir, id, o.Logger)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		log: o.Logger, instance: in, identity: id, total: o.Slots,
		free: make(chan *slot, o.Slots), builds: make(chan int, o.Slots), stop: make(chan struct{}),
	}
	folders, links := rootLayout(o.Folders)
	d.setup = stub.Setup{
		Hostname:   "sandbox",
		Mountpoint: filepath.Join(in.dir, "root"), Artifacts: filepath.Join(in.dir, "artifacts"),
		Folders: folders, Links: links, Files: etcFiles(),
		Landlock:    landlockABI() >= minLandlock,
		FilterFlags: seccomp.Flags, Token: token,
		CoreLimit: coreLimit(), Shared: d.identity.shared,
	}
	if err := d.makeGroup(runDir, o.AllowDegraded); err != nil {
		return nil, errors.Join(err, in.close())
	}
	filter, err := seccomp.Compile(token, d.parent.Version() == 0)
	if err != nil {
		return nil, errors.Join(fault.Internalf(err, "compiling the seccomp filter"), d.parent.Close(), in.close())
	}
	d.setup.Filter = stub.FilterBytes(filter)
	d.builder.Add(1)
	go d.build()
	for n := range o.Slots {
		d.builds <- n
	}
	return d, nil
}

// newToken makes the number by which the filter knows the slot's own processes. Zero is what a register holds that
// nobody set.
func newToken() (uint64, error) {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fault.Internalf(err, "making a token")
		}
		if n := binary.NativeEndian.Uint64(b[:]); n != 0 {
			return n, nil
		}
	}
}

// makeGroup makes the instance's control group, noting it down first so that a successor can remove it.
func (d *Driver) makeGroup(runDir string, degraded bool) error {
	// Instances of different run folders may be started from one group: the name tells them apart.
	h := fnv.New32a()
	h.Write([]byte(runDir))
	parent, err := findGroups(fmt.Sprintf("assay-%08x-%d", h.Sum32(), d.instance.number), degraded)
	if err != nil {
		return fault.Internalf(err, "finding the control groups")
	}
	if err := d.instance.record(parent.Paths()); err != nil {
		return err
	}
	if err := parent.Make(); err != nil {
		return errors.Join(fault.Internalf(err, "making the instance's control group"), parent.Close())
	}
	d.parent = parent
	return nil
}

// build makes slots for as long as the driver lives. It stays on one thread, since the inits end with the thread that
// started them.
func (d *Driver) build() {
	defer d.builder.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const slowest = 5 * time.Second
	wait := 10 * time.Millisecond
	for {
		var n int
		select {
		case n = <-d.builds:
		case <-d.stop:
			return
		}
		s, err := d.newSlot(n)
		if err == nil && s.weaker != "" {
			level := slog.LevelWarn
			if d.identity.shared { // as always without root, which the doctor says
				level = slog.LevelInfo
			}
			d.log.Log(context.Background(), level, "a slot shares more than it should", "slot", n, "what", s.weaker)
		}
		if err == nil {
			wait = 10 * time.Millisecond
			d.failure.Store(nil)
			d.free <- s
			continue
		}
		d.log.Error("a slot could not be built", "slot", n, "err", err)
		d.failure.Store(&err)
		select {
		case <-time.After(wait):
			wait = min(2*wait, slowest)
			d.builds <- n
		case <-d.stop:
			return
		}
	}
}

// acquire waits for a free slot.
func (d *Driver) acquire(ctx context.Context) (*slot, error) {
	select {
	case s := <-d.free:
		return s, nil
	default:
	}
	// With every slot failing to build, waiting is in vain.
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		select {
		case s := <-d.free:
			return s, nil
		case <-d.stop:
			return nil, &fault.Error{Code: fault.Stopping, Message: "the sandbox is closing", Retry: true}
		case <-ctx.Done():
			return nil, &fault.Error{Code: fault.Cancelled, Message: "waiting for a slot", Err: context.Cause(ctx)}
		case <-retry.C:
			if err := d.failure.Load(); err != nil {
				return nil, fault.Internalf(*err, "no slot can be built")
			}
		}
	}
}

// release gives a slot back; a bad one is destroyed and replaced.
func (d *Driver) release(s *slot, good bool) {
	if good {
		d.free <- s
		return
	}
	d.log.Warn("replacing a slot", "slot", s.number)
	if err := s.destroy(); err != nil {
		d.log.Error("destroying a slot", "slot", s.number, "err", err)
		// Its control group is still there: the replacement gets another name, and ids nobody uses.
		d.builds <- s.number + d.total
		return
	}
	d.builds <- s.number
}

// Slots gives how many slots there are to be, and how many wait for a run now.
func (d *Driver) Slots() (total, free int) { return d.total, len(d.free) }

// Dir is the instance's folder on the host. No sandbox shows it, and Close removes it with all that is in it.
func (d *Driver) Dir() string { return d.instance.dir }

// enter counts a run in, or refuses it because the driver is closing. Each success needs a runs.Done.
func (d *Driver) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return &fault.Error{Code: fault.Stopping, Message: "the sandbox is closing", Retry: true}
	}
	d.runs.Add(1)
	return nil
}

// Close waits for runs to end and removes everything that the driver made. Cancel the contexts of runs to have them end
// at once. Further calls do nothing.
func (d *Driver) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	close(d.stop)
	d.runs.Wait()
	d.builder.Wait()
	var failed error
	for len(d.free) > 0 {
		s := <-d.free
		failed = errors.Join(failed, s.destroy())
	}
	return errors.Join(failed, d.parent.Close(), d.instance.close())
}
