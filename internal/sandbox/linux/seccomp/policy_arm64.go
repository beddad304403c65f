package seccomp

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_AARCH64
	foreign   = 0 // 32-bit programs have an architecture number of their own
)

// archRefusals are the calls that only this architecture has.
func archRefusals() []refusal { return nil }
