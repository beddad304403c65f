# The system calls of the 32-bit gate, in 64-bit code: the number in eax and the first three arguments (ebx, ecx, edx, 32
# bits of each) become those of "syscall", and the registers stay as "int 0x80" leaves them. Only the simple calls are here,
# by their 32-bit number: exit to getpid, brk and exit_group; all others fail with ENOSYS.
    .globl int80_in_64_bits
    .section .rodata
numbers:
    .byte 255, 60, 57, 0, 1, 2, 3, 255, 85, 86, 87, 59, 80, 201, 133, 90
    .byte 255, 255, 255, 8, 39
    .text
int80_in_64_bits:
    pushfq
    pushq %rcx
    pushq %r11
    pushq %rdi
    pushq %rsi
    pushq %rdx
    movl %ebx, %edi
    movl %ecx, %esi
    movl %edx, %edx
    cmpl $252, %eax
    jne 1f
    movl $231, %eax
    jmp 3f
1:  cmpl $45, %eax
    jne 2f
    movl $12, %eax
    jmp 3f
2:  cmpl $20, %eax
    ja 4f
    movzbl numbers(%rax), %eax
    cmpl $255, %eax
    je 4f
3:  syscall
    jmp 5f
4:  movq $-38, %rax
5:  popq %rdx
    popq %rsi
    popq %rdi
    popq %r11
    popq %rcx
    popfq
    ret
    .section .note.GNU-stack
