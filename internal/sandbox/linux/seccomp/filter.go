// Package seccomp holds the system call filter of the native sandbox: the policy, with the reason for each refusal, and its
// compilation to classic BPF (seccomp(2), bpf of linux/filter.h). The program is compiled once for a driver.
//
// The policy refuses what is dangerous and lets the rest pass. A list of what is allowed would break with each new libc
// (open became openat, clone became clone3); the namespaces, the empty capability sets and the bare root are what
// holds, and the filter takes away kernel code that namespaces do not cover.
package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// action is what the filter answers: a SECCOMP_RET_ value.
type action uint32

const (
	allow action = unix.SECCOMP_RET_ALLOW
	kill  action = unix.SECCOMP_RET_KILL_PROCESS
)

func errno(e unix.Errno) action { return action(unix.SECCOMP_RET_ERRNO | uint32(e)) }

// check is a condition on one argument. Only its low 32 bits are compared: the kernel takes these arguments as int, and a
// filter that looked at the high ones could be led astray by them (CVE-2019-10063).
type check struct {
	arg    int
	mask   uint32   // 0 compares the whole; else the rule applies if any bit of the mask is set
	values []uint32 // the rule applies if the argument is one of these, or, with except, none of them
	except bool
	given  int    // the rule applies only if this argument, a pointer, is not null; 0 is no such condition
	or     *equal // the rule applies as well if an argument has this value, whatever the rest says
	token  bool   // the rule applies unless the sixth argument, which the call does not have, is the token
}

// equal is an argument's value.
type equal struct {
	arg   int
	value uint32
}

// rule is what happens to one system call.
type rule struct {
	number uint32
	do     action // when the check applies, or always without one
	check  *check
}

// span is a run of call numbers with one treatment.
type span struct {
	first uint32
	code  []unix.SockFilter
}

// Compile gives the program for this architecture. Calls that only the slot's own processes may make pass when their unused
// sixth argument is the token: those processes load the filter before they begin, as loading it for each run would cost
// a tenth of a short one. A program that guessed the 64 bits would still lack every capability that these calls want.
//
// uncounted is for slots without a control group: it refuses, too, memory that is nobody's when it is not mapped, and that
// nothing but a group counts.
func Compile(token uint64, uncounted bool) ([]unix.SockFilter, error) {
	rules := policy()
	if uncounted {
		rules = append(rules, rule{number: unix.SYS_SHMGET, do: errno(unix.ENOSYS)})
	}
	return compile(rules, newest, token)
}

// compile makes: kill a foreign architecture; then a balanced tree over the call numbers, whose leaves return or look at
// one argument. The tree keeps both the cost of each call and of loading low: when a filter is loaded, the kernel walks it for every
// number to learn which calls are always allowed (kernel/seccomp.c, seccomp_cache_prepare).
func compile(rules []rule, newest uint32, token uint64) ([]unix.SockFilter, error) {
	slices.SortFunc(rules, func(a, b rule) int { return int(a.number) - int(b.number) })
	pass := []unix.SockFilter{ret(allow)}
	spans := []span{{0, pass}}
	for i, r := range rules {
		if i > 0 && rules[i-1].number == r.number {
			return nil, fmt.Errorf("system call %d has two rules", r.number)
		}
		if r.number > newest {
			return nil, fmt.Errorf("system call %d is newer than the newest known, %d", r.number, newest)
		}
		if last := &spans[len(spans)-1]; last.first == r.number {
			last.code = r.code(token)
		} else {
			spans = append(spans, span{r.number, r.code(token)})
		}
		spans = append(spans, span{r.number + 1, pass})
	}
	// Calls that nobody had looked at when this was written do not exist: libraries fall back on ENOSYS, not on EPERM.
	if last := &spans[len(spans)-1]; last.first == newest+1 {
		last.code = []unix.SockFilter{ret(errno(unix.ENOSYS))}
	} else {
		spans = append(spans, span{newest + 1, []unix.SockFilter{ret(errno(unix.ENOSYS))}})
	}
	spans = merge(spans)
	program := []unix.SockFilter{
		load(offsetArch),
		jump(unix.BPF_JEQ, auditArch, 1, 0),
		ret(kill),
		load(offsetNumber),
	}
	if foreign > 0 { // x32 shares the architecture's number and marks its calls with a bit
		program = append(program, jump(unix.BPF_JGE, foreign, 0, 1), ret(kill))
	}
	tree, err := branch(spans)
	if err != nil {
		return nil, err
	}
	return append(program, tree...), nil
}

// merge joins neighbours that do the same.
func merge(spans []span) []span {
	out := spans[:1]
	for _, s := range spans[1:] {
		if !slices.Equal(out[len(out)-1].code, s.code) {
			out = append(out, s)
		}
	}
	return out
}

// branch lays out a subtree: a comparison, the lower half, the upper half.
func branch(spans []span) ([]unix.SockFilter, error) {
	if len(spans) == 1 {
		return spans[0].code, nil
	}
	middle := len(spans) / 2
	low, err := branch(spans[:middle])
	if err != nil {
		return nil, err
	}
	high, err := branch(spans[middle:])
	if err != nil {
		return nil, err
	}
	pivot := spans[middle].first
	var code []unix.SockFilter
	if len(low) <= 255 {
		code = append(code, jump(unix.BPF_JGE, pivot, uint8(len(low)), 0))
	} else { // a conditional jump reaches 255 instructions, an unconditional one any number
		code = append(code, jump(unix.BPF_JGE, pivot, 0, 1),
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: uint32(len(low))})
	}
	return append(append(code, low...), high...), nil
}

// code is a leaf. It ends in a return on every way.
func (r rule) code(token uint64) []unix.SockFilter {
	if r.check == nil {
		return []unix.SockFilter{ret(r.do)}
	}
	c := r.check
	yes, no := r.do, allow
	if c.except {
		yes, no = no, yes
	}
	var code []unix.SockFilter
	if c.or != nil {
		code = append(code, load(argument(c.or.arg)), jump(unix.BPF_JEQ, c.or.value, 0, 1), ret(r.do))
	}
	code = append(code, load(argument(c.arg)))
	switch {
	case c.mask != 0 && c.token:
		code = append(code, jump(unix.BPF_JSET, c.mask, 1, 0), ret(no))
		return append(code, tokenCode(token, yes, no)...)
	case c.token:
		return tokenCode(token, yes, no)
	case c.mask != 0:
		return append(code, jump(unix.BPF_JSET, c.mask, 0, 1), ret(yes), ret(no))
	}
	for i, v := range c.values {
		code = append(code, jump(unix.BPF_JEQ, v, uint8(len(c.values)-i), 0))
	}
	code = append(code, ret(no))
	if c.given != 0 {
		code = append(code,
			load(argument(c.given)), jump(unix.BPF_JEQ, 0, 0, 3),
			load(argument(c.given)+4), jump(unix.BPF_JEQ, 0, 0, 1),
			ret(no))
	}
	return append(code, ret(yes))
}

// tokenCode returns without for the token and with for anything else.
func tokenCode(token uint64, with, without action) []unix.SockFilter {
	const last = 5
	return []unix.SockFilter{
		load(argument(last)),
		jump(unix.BPF_JEQ, uint32(token), 0, 3),
		load(argument(last) + 4),
		jump(unix.BPF_JEQ, uint32(token>>32), 0, 1),
		ret(without),
		ret(with),
	}
}

// argument is where the low half of an argument lies: both supported architectures are little-endian.
func argument(n int) uint32 { return offsetArgs + 8*uint32(n) }

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func jump(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: yes, Jf: no, K: k}
}

func ret(a action) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: uint32(a)}
}
