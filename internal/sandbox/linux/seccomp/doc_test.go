package seccomp

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the tables of docs/sandbox.md")

const (
	document   = "../../../../docs/sandbox.md"
	tableBegin = "<!-- seccomp: made by go test ./internal/sandbox/linux/seccomp -run TestDocument -update -->\n"
	tableEnd   = "<!-- seccomp: end -->\n"
)

// conditional describes the calls that are refused for some arguments only. TestDocument compares it with policy, so a
// rule cannot change without its description.
func conditional() []struct {
	call, when, reason string
	rule               rule
} {
	onlyUnix := &check{arg: 0, values: []uint32{unix.AF_UNIX}, except: true}
	return []struct {
		call, when, reason string
		rule               rule
	}{
		{
			"socket", "any family but `AF_UNIX`", "no network, not even a loopback one: nothing is left in the slot's network namespace",
			rule{unix.SYS_SOCKET, errno(unix.EAFNOSUPPORT), onlyUnix},
		},
		{
			"socketpair", "any family but `AF_UNIX`", "as `socket`",
			rule{unix.SYS_SOCKETPAIR, errno(unix.EAFNOSUPPORT), onlyUnix},
		},
		{
			"clone", "with a flag for a new namespace, without the token", "a user namespace would give capabilities over kernel code",
			rule{unix.SYS_CLONE, errno(unix.EPERM), &check{arg: 0, mask: cloneNamespaces, token: true}},
		},
		{
			"clone3", "without the token", "its flags lie in memory, where a filter cannot look; libraries fall back on `clone`",
			rule{unix.SYS_CLONE3, errno(unix.ENOSYS), &check{token: true}},
		},
		{
			"mount", "without the token", "the sandbox is made of mounts",
			rule{unix.SYS_MOUNT, errno(unix.EPERM), &check{token: true}},
		},
		{
			"ioctl", "`TIOCSTI`, `TIOCLINUX`", "typing into somebody's terminal (CVE-2017-5226), the console's paste buffer",
			rule{unix.SYS_IOCTL, errno(unix.EPERM), &check{arg: 1, values: []uint32{unix.TIOCSTI, unix.TIOCLINUX}}},
		},
		{
			"fcntl", "`F_NOTIFY`, `F_SETLEASE`", "being told of what others read in a folder, or held up at a file",
			rule{unix.SYS_FCNTL, errno(unix.EPERM), &check{arg: 1, values: []uint32{unix.F_NOTIFY, unix.F_SETLEASE}}},
		},
		{
			"setrlimit", "`RLIMIT_CORE`", "a piped `core_pattern` starts a program of the host as root",
			rule{unix.SYS_SETRLIMIT, errno(unix.EPERM), &check{arg: 0, values: []uint32{unix.RLIMIT_CORE}}},
		},
		{
			"prlimit64", "to set `RLIMIT_CORE`; anything of process 1", "as `setrlimit`; without root, the stub is the program's own user, who could end it by a limit",
			rule{unix.SYS_PRLIMIT64, errno(unix.EPERM), &check{arg: 1, values: []uint32{unix.RLIMIT_CORE}, given: 2, or: &equal{0, stubPID}}},
		},
		{
			"kill", "of process 1", "as `prlimit64`; the kernel itself keeps signals from it",
			rule{unix.SYS_KILL, errno(unix.EPERM), &check{arg: 0, values: []uint32{stubPID}}},
		},
		{
			"personality", "anything but Linux, with or without `ADDR_NO_RANDOMIZE`, or a query", "rarely used kernel code; sanitizers need the one flag",
			rule{unix.SYS_PERSONALITY, errno(unix.EPERM), &check{arg: 0, values: []uint32{0, 0xffffffff, addrNoRandomize}, except: true}},
		},
	}
}

// TestDocument compares docs/sandbox.md with the policy.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := bytes.Cut(text, []byte(tableBegin))
	old, after, ended := bytes.Cut(rest, []byte(tableEnd))
	if !begun || !ended {
		t.Fatalf("%s has no place for the tables", document)
	}
	tables := refusalTable(t) + "\n" + conditionalTable(t)
	if string(old) == tables {
		return
	}
	if !*update {
		t.Fatal("docs/sandbox.md is not what the policy gives: run go test ./internal/sandbox/linux/seccomp -run TestDocument -update")
	}
	text = slices.Concat(before, []byte(tableBegin), []byte(tables), []byte(tableEnd), after)
	if err := os.WriteFile(document, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// refusalTable takes the calls' names from the source, since the policy itself holds only numbers, and makes sure that
// both say the same.
func refusalTable(t *testing.T) string {
	t.Helper()
	type key struct {
		reason string
		answer unix.Errno
	}
	var out strings.Builder
	out.WriteString("| refused always | answer | why |\n|---|---|---|\n")
	counts := map[key]int{}
	for _, f := range []struct{ name, only string }{{"policy.go", ""}, {"policy_amd64.go", "amd64"}, {"policy_arm64.go", "arm64"}} {
		for _, r := range parseRefusals(t, f.name) {
			note := ""
			if f.only != "" {
				note = " (" + f.only + " only)"
			}
			fmt.Fprintf(&out, "| %s%s | `%s` | %s |\n", strings.Join(r.calls, ", "), note, r.answer, r.reason)
			if f.only == "" || f.only == runtime.GOARCH {
				counts[key{r.reason, errnoNamed(t, r.answer)}] += len(r.calls)
			}
		}
	}
	for _, r := range refusals() {
		counts[key{r.reason, r.answer}] -= len(r.calls)
	}
	for k, n := range counts {
		if n != 0 {
			t.Errorf("the source and the policy differ by %d calls for %q", n, k.reason)
		}
	}
	return out.String()
}

func errnoNamed(t *testing.T, name string) unix.Errno {
	t.Helper()
	for _, e := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		if unix.ErrnoName(e) == name {
			return e
		}
	}
	t.Fatalf("a refusal answers %s: teach this test the name", name)
	return 0
}

// parsedRefusal is a refusal as the source spells it.
type parsedRefusal struct {
	reason, answer string
	calls          []string
}

// parseRefusals finds the literals of []refusal in a file of this package.
func parseRefusals(t *testing.T, file string) []parsedRefusal {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []parsedRefusal
	ast.Inspect(parsed, func(n ast.Node) bool {
		list, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if kind, ok := list.Type.(*ast.ArrayType); !ok || fmt.Sprint(kind.Elt) != "refusal" {
			return true
		}
		for _, element := range list.Elts {
			parts := element.(*ast.CompositeLit).Elts
			reason, err := strconv.Unquote(parts[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			r := parsedRefusal{reason: reason, answer: parts[1].(*ast.SelectorExpr).Sel.Name}
			for _, call := range parts[2].(*ast.CompositeLit).Elts {
				name := strings.TrimPrefix(call.(*ast.SelectorExpr).Sel.Name, "SYS_")
				r.calls = append(r.calls, "`"+strings.ToLower(name)+"`")
			}
			out = append(out, r)
		}
		return false
	})
	return out
}

func conditionalTable(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	out.WriteString("| refused sometimes | when | answer | why |\n|---|---|---|---|\n")
	described := map[uint32]rule{}
	for _, c := range conditional() {
		described[c.rule.number] = c.rule
		fmt.Fprintf(&out, "| `%s` | %s | `%s` | %s |\n", c.call, c.when, unix.ErrnoName(unix.Errno(uint32(c.rule.do)&0xffff)), c.reason)
	}
	for _, r := range policy() {
		if r.check == nil {
			continue
		}
		if !reflect.DeepEqual(described[r.number], r) {
			t.Errorf("the rule for system call %d is not what the table describes: mend conditional in this file", r.number)
		}
		delete(described, r.number)
	}
	for number := range described {
		t.Errorf("the table describes a rule for system call %d, which the policy does not have", number)
	}
	return out.String()
}
