package seccomp

import "golang.org/x/sys/unix"

const (
	auditArch = unix.AUDIT_ARCH_X86_64
	foreign   = 0x40000000 // __X32_SYSCALL_BIT
)

// archRefusals are the calls that only this architecture has.
func archRefusals() []refusal {
	return []refusal{
		{
			"direct access to ports and to descriptor tables of the processor",
			unix.EPERM,
			[]uint32{unix.SYS_IOPERM, unix.SYS_IOPL, unix.SYS_MODIFY_LDT},
		},
		{
			"watching shared files tells what other runs do",
			unix.ENOSYS,
			[]uint32{unix.SYS_INOTIFY_INIT},
		},
		{
			"old calls without users, each a piece of kernel less",
			unix.ENOSYS,
			[]uint32{
				unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS_SYSFS, unix.SYS__SYSCTL, unix.SYS_CREATE_MODULE,
				unix.SYS_GET_KERNEL_SYMS, unix.SYS_QUERY_MODULE,
			},
		},
	}
}
