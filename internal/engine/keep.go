package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"assay/internal/sandbox"
)

// keeper holds large executables that are sent again and again, so that the sandbox need not copy them for each run: a
// statically linked program of a megabyte costs more to copy than to run. The first time only a hash is noted.
type keeper struct {
	cache *cache
	seed  maphash.Seed

	mu      sync.Mutex
	seen    map[uint64]struct{}
	content map[*sandbox.Artifact][]byte // of each kept file, mapped from where the driver keeps it
}

// Bounds of the keeper.
const (
	keepFrom    = 64 << 10 // bytes: below that a copy costs less than the comparison
	keepBytes   = 32 << 20
	keepEntries = 256
	keepSeen    = 4096 // hashes; when they are full, all are forgotten
)

func newKeeper(remove func(*sandbox.Artifact) error) *keeper {
	k := &keeper{seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, content: map[*sandbox.Artifact][]byte{}}
	k.cache = newCache(keepBytes, keepEntries, func(a *sandbox.Artifact) error { return errors.Join(k.unmap(a), remove(a)) })
	return k
}

// show gives f as it is to be shown to the sandbox, and the program to release afterwards, or nil.
func (k *keeper) show(ctx context.Context, f sandbox.File, keep func(sandbox.Output) (*sandbox.Artifact, error)) (sandbox.File, *program) {
	if f.Mode&0o111 == 0 || len(f.Data) < keepFrom {
		return f, nil
	}
	hash := k.sample(f.Data)
	if !k.again(hash) {
		return f, nil
	}
	var id key
	binary.LittleEndian.PutUint64(id[:], hash)
	b, err := k.cache.get(ctx, id, func(context.Context) (built, error) {
		size := int64(len(f.Data))
		a, err := keep(sandbox.Output{Name: f.Name, Size: size, Mode: f.Mode, File: content{bytes.NewReader(f.Data)}})
		if err != nil {
			return built{}, err
		}
		p := &program{artifacts: []*sandbox.Artifact{a}, bytes: size}
		if err := k.remember(a); err != nil {
			return built{}, errors.Join(err, k.cache.deleteAll([]*program{p}))
		}
		return built{program: p}, nil
	})
	if err != nil {
		return f, nil // a copy does as well
	}
	// Many files may have one hash: what is run is what was sent.
	if a := b.program.artifacts[0]; k.holds(a, f.Data) {
		f.Data, f.Artifact = nil, a
		return f, b.program
	}
	k.cache.release(b.program)
	return f, nil
}

// sample hashes the length of a file and a part of its content, spread over all of it. Reading all would take longer than
// comparing it.
func (k *keeper) sample(data []byte) uint64 {
	const parts, length = 64, 64
	var h maphash.Hash
	h.SetSeed(k.seed)
	_ = binary.Write(&h, binary.LittleEndian, int64(len(data)))
	for i := range parts {
		from := i * (len(data) - length) / (parts - 1)
		_, _ = h.Write(data[from : from+length])
	}
	return h.Sum64()
}

// again reports whether the hash was seen before, and notes it.
func (k *keeper) again(hash uint64) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.seen[hash]; ok {
		return true
	}
	if len(k.seen) == keepSeen {
		clear(k.seen)
	}
	k.seen[hash] = struct{}{}
	return false
}

// remember maps a kept file, which nobody changes, so that it can be compared without being read.
func (k *keeper) remember(a *sandbox.Artifact) error {
	f, err := os.Open(a.Path)
	if err != nil {
		return fmt.Errorf("open a kept executable: %w", err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, int(a.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map a kept executable: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.content[a] = m
	return nil
}

// holds reports whether a kept file has this content. The caller uses the file, so it stays mapped.
func (k *keeper) holds(a *sandbox.Artifact, data []byte) bool {
	k.mu.Lock()
	m := k.content[a]
	k.mu.Unlock()
	return bytes.Equal(m, data)
}

func (k *keeper) unmap(a *sandbox.Artifact) error {
	k.mu.Lock()
	m := k.content[a]
	delete(k.content, a)
	k.mu.Unlock()
	if m == nil {
		return nil
	}
	return unix.Munmap(m)
}

// content is bytes in the place of a file.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }
