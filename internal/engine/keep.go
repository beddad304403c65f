package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/maphash"
	"io"
	"os"
	"sync"

	"assay/internal/sandbox"
)

// keeper holds large executables that are sent again and again, so that the sandbox need not copy them for each run: a
// statically linked program of a megabyte costs more to copy than to run. The first time only its hash is noted.
type keeper struct {
	cache *cache
	seed  maphash.Seed

	mu   sync.Mutex
	seen map[uint64]struct{}
}

// Bounds of the keeper.
const (
	keepFrom    = 64 << 10 // bytes: below that a copy costs less than the comparison
	keepBytes   = 64 << 20
	keepEntries = 256
	keepSeen    = 4096 // hashes; when they are full, all are forgotten
)

func newKeeper(remove func(*sandbox.Artifact) error) *keeper {
	return &keeper{cache: newCache(keepBytes, keepEntries, remove), seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}}
}

// show gives f as it is to be shown to the sandbox, and the program to release afterwards, or nil.
func (k *keeper) show(ctx context.Context, f sandbox.File, keep func(sandbox.Output) (*sandbox.Artifact, error)) (sandbox.File, *program) {
	if f.Mode&0o111 == 0 || len(f.Data) < keepFrom {
		return f, nil
	}
	hash := maphash.Bytes(k.seed, f.Data)
	if !k.again(hash) {
		return f, nil
	}
	var id key
	binary.LittleEndian.PutUint64(id[:], hash)
	binary.LittleEndian.PutUint64(id[8:], uint64(len(f.Data)))
	b, err := k.cache.get(ctx, id, func(context.Context) (built, error) {
		size := int64(len(f.Data))
		a, err := keep(sandbox.Output{Name: f.Name, Size: size, Mode: f.Mode, File: content{bytes.NewReader(f.Data)}})
		if err != nil {
			return built{}, err
		}
		return built{program: &program{artifacts: []*sandbox.Artifact{a}, bytes: size}}, nil
	})
	if err != nil {
		return f, nil // a copy does as well
	}
	// Two files may have one hash: what is run is what was sent.
	if a := b.program.artifacts[0]; holds(a.Path, f.Data) {
		f.Data, f.Artifact = nil, a
		return f, b.program
	}
	k.cache.release(b.program)
	return f, nil
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

// holds reports whether a file has this content.
func holds(path string, data []byte) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	buf := make([]byte, 16<<10)
	for len(data) > 0 {
		n, err := f.Read(buf)
		if n == 0 || n > len(data) || !bytes.Equal(buf[:n], data[:n]) {
			return false
		}
		data = data[n:]
		if err != nil && len(data) > 0 {
			return false
		}
	}
	n, err := f.Read(buf)
	return n == 0 && err == io.EOF
}

// content is bytes in the place of a file.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }
