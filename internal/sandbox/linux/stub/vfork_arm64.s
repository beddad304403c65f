#include "textflag.h"

// func vfork(trap, a1, a2, a3, a6 uintptr) (pid, errno uintptr)
//
// See vfork_amd64.s. Here the return address is in the link register, which the child cannot spoil for its parent.
TEXT ·vfork(SB),NOSPLIT|NOFRAME,$0-56
	MOVD	a1+8(FP), R0
	MOVD	a2+16(FP), R1
	MOVD	a3+24(FP), R2
	MOVD	$0, R3
	MOVD	$0, R4
	MOVD	a6+32(FP), R5
	MOVD	trap+0(FP), R8
	SVC
	CMN	$4095, R0
	BCS	failed
	MOVD	R0, pid+40(FP)
	MOVD	ZR, errno+48(FP)
	RET
failed:
	NEG	R0, R0
	MOVD	ZR, pid+40(FP)
	MOVD	R0, errno+48(FP)
	RET
