#include "textflag.h"

// func vfork(trap, a1, a2, a3, a6 uintptr) (pid, errno uintptr)
//
// A clone with CLONE_VM and CLONE_VFORK: the child runs first, on this very stack, and overwrites what lies below the
// caller's frame, this function's return address included. The address is therefore kept in a register, which the kernel
// saves for each of the two processes, and pushed again by each when the call returns (vfork(2), "Caveats").
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-56
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	MOVQ	a3+24(FP), DX
	XORL	R10, R10
	XORL	R8, R8
	MOVQ	a6+32(FP), R9
	MOVQ	trap+0(FP), AX
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	CMPQ	AX, $0xfffffffffffff001
	JCC	failed
	MOVQ	AX, pid+40(FP)
	MOVQ	$0, errno+48(FP)
	RET
failed:
	NEGQ	AX
	MOVQ	$0, pid+40(FP)
	MOVQ	AX, errno+48(FP)
	RET
