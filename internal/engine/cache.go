package engine

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"sync"

	"assay/internal/sandbox"
)

// key identifies a compile: the same key gives the same program.
type key [sha256.Size]byte

// keyOf hashes all that a compiler's work depends on, each part with its length.
func keyOf(j *job) key {
	h := sha256.New()
	put := func(texts ...string) {
		length(h, len(texts))
		for _, t := range texts {
			length(h, len(t))
			_, _ = io.WriteString(h, t)
		}
	}
	put(j.language.ID, j.language.Identity())
	put(j.plan.Compile.Args...)
	put(j.plan.Compile.Env...)
	put(j.plan.Compile.Outputs...)
	length(h, len(j.files))
	for _, f := range j.files {
		put(f.Name)
		length(h, len(f.Data))
		_, _ = h.Write(f.Data)
	}
	return key(h.Sum(nil))
}

func length(h hash.Hash, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, _ = h.Write(b[:])
}

// program is a compiled program. It is immutable but for the counters, which the cache's lock guards.
type program struct {
	files     []sandbox.File
	artifacts []*sandbox.Artifact
	bytes     int64

	users int  // runs that use it now
	gone  bool // not in the cache any more: deleted with its last user
}

// built is the outcome of a compile. program is nil after a compile error.
type built struct {
	program *program
	compile Compile
	message string
}

// cache keeps compiled programs, the most recently used ones, and has identical compiles done once.
type cache struct {
	maxBytes   int64
	maxEntries int
	delete     func(*sandbox.Artifact) error

	mu           sync.Mutex
	entries      map[key]*list.Element // of *entry
	recent       *list.List            // front: most recently used
	bytes        int64
	flights      map[key]*flight
	hits, misses int64
}

type entry struct {
	key   key
	built built
}

// flight is a compile that is being done. It is cancelled when nobody waits for it any more.
type flight struct {
	waiters int
	cancel  context.CancelFunc
	done    chan struct{} // closed when built and err are set
	built   built
	err     error
}

func newCache(maxBytes int64, maxEntries int, remove func(*sandbox.Artifact) error) *cache {
	return &cache{
		maxBytes: maxBytes, maxEntries: maxEntries, delete: remove,
		entries: map[key]*list.Element{}, recent: list.New(), flights: map[key]*flight{},
	}
}

// get gives the outcome of a compile: from the cache, from a compile that is under way, or of one that it has done now.
// A program in it must be released.
func (c *cache) get(ctx context.Context, k key, compile func(context.Context) (built, error)) (built, error) {
	c.mu.Lock()
	if element, ok := c.entries[k]; ok {
		c.recent.MoveToFront(element)
		c.hits++
		b := element.Value.(*entry).built
		b.program.users++
		c.mu.Unlock()
		b.compile.Cached = true
		return b, nil
	}
	f, joined := c.flights[k]
	if joined {
		f.waiters++
		c.hits++
	} else {
		c.misses++
		// The compile outlives a caller who gives up while another one waits for it.
		flightCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{waiters: 1, cancel: cancel, done: make(chan struct{})}
		c.flights[k] = f
		go c.fly(flightCtx, k, f, compile)
	}
	c.mu.Unlock()

	select {
	case <-f.done:
	case <-ctx.Done():
		c.abandon(k, f)
		return built{}, context.Cause(ctx)
	}
	b := f.built
	if joined {
		b.compile.Cached = b.program != nil
	}
	return b, f.err
}

// fly does the compile and hands the program to everyone who waits.
func (c *cache) fly(ctx context.Context, k key, f *flight, compile func(context.Context) (built, error)) {
	b, err := compile(ctx)
	f.cancel()
	c.mu.Lock()
	if c.flights[k] == f {
		delete(c.flights, k)
	}
	f.built, f.err = b, err
	if b.program != nil {
		b.program.users = f.waiters
		// Before anybody goes on: what a caller finds afterwards, Close for one, is complete.
		_ = c.deleteAll(c.insert(k, b))
	}
	close(f.done)
	c.mu.Unlock()
}

// abandon leaves a compile. The last to leave ends it and waits for its end, so that nothing runs on unseen.
func (c *cache) abandon(k key, f *flight) {
	c.mu.Lock()
	select {
	case <-f.done:
		c.mu.Unlock()
		if f.built.program != nil {
			c.release(f.built.program)
		}
		return
	default:
	}
	f.waiters--
	last := f.waiters == 0
	if last && c.flights[k] == f {
		delete(c.flights, k) // nobody may join it now
	}
	c.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}

// insert adds a program and gives those that are to be deleted. The caller holds the lock.
func (c *cache) insert(k key, b built) (dead []*program) {
	if _, twice := c.entries[k]; twice || c.maxEntries <= 0 || b.program.bytes > c.maxBytes {
		b.program.gone = true
		if b.program.users == 0 {
			dead = append(dead, b.program)
		}
		return dead
	}
	c.entries[k] = c.recent.PushFront(&entry{key: k, built: b})
	c.bytes += b.program.bytes
	for c.bytes > c.maxBytes || c.recent.Len() > c.maxEntries {
		if p := c.drop(c.recent.Back()); p.users == 0 {
			dead = append(dead, p)
		}
	}
	return dead
}

// drop takes an entry out. The caller holds the lock.
func (c *cache) drop(element *list.Element) *program {
	e := c.recent.Remove(element).(*entry)
	delete(c.entries, e.key)
	c.bytes -= e.built.program.bytes
	e.built.program.gone = true
	return e.built.program
}

// release ends the use of a program.
func (c *cache) release(p *program) {
	c.mu.Lock()
	p.users--
	dead := p.gone && p.users == 0
	c.mu.Unlock()
	if dead {
		_ = c.deleteAll([]*program{p})
	}
}

// clear empties the cache.
func (c *cache) clear() error {
	c.mu.Lock()
	var dead []*program
	for c.recent.Len() > 0 {
		if p := c.drop(c.recent.Back()); p.users == 0 {
			dead = append(dead, p)
		}
	}
	c.mu.Unlock()
	return c.deleteAll(dead)
}

func (c *cache) deleteAll(programs []*program) error {
	var errs []error
	for _, p := range programs {
		for _, a := range p.artifacts {
			errs = append(errs, c.delete(a))
		}
	}
	return errors.Join(errs...)
}

func (c *cache) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{CacheHits: c.hits, Misses: c.misses, Programs: c.recent.Len(), ProgramBytes: c.bytes}
}
