package cgroup

// cacheFile is a group's memory.stat, read for the file pages that earlier runs left charged to it. They count as used when
// a run begins, but the kernel drops them when it needs room; what it dropped then looks like memory that the program did
// not use, and must be added back.
type cacheFile struct {
	counterFile
	all, shared string // keys: file pages, and those of them that are tmpfs and shared memory
}

// worthReading is the usage from which on a group is asked for its file pages. Below it the difference is small, and
// reading costs as much as a twentieth of a short run.
const worthReading = 4 << 20

// before gives the file pages at the start of a run, 0 where they do not matter.
func (c cacheFile) before(usage int64) (int64, error) {
	if usage < worthReading {
		return 0, nil
	}
	return c.pages()
}

// lost gives how many bytes of the file pages were dropped since before.
func (c cacheFile) lost(before int64) (int64, error) {
	if before == 0 {
		return 0, nil
	}
	now, err := c.pages()
	return max(0, before-now), err
}

func (c cacheFile) pages() (int64, error) {
	var buf [8192]byte
	b, err := c.read(buf[:])
	if err != nil {
		return 0, err
	}
	return field(b, c.all) - field(b, c.shared), nil
}
