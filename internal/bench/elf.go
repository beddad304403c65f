package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Programs are static ELF files, made here so that a host needs no compiler to be measured.
type Programs struct {
	Exit  []byte // exits at once, with 0
	Spin  []byte // counts SpinIterations down, then exits with 0: about 200 ms at 4 GHz
	Touch []byte // writes to each page of TouchBytes of fresh memory, then exits with 0
}

// What the programs do.
const (
	SpinIterations = 800_000_000
	TouchBytes     = 100 << 20
)

// pageStep is the distance of two writes of Touch. Larger pages are then touched several times, which does no harm.
const pageStep = 4096

// Make gives the programs for a processor, named as in runtime.GOARCH.
func Make(arch string) (Programs, error) {
	switch arch {
	case "amd64":
		return Programs{Exit: amd64File(amd64Exit()), Spin: amd64File(amd64Spin()), Touch: amd64File(amd64Touch())}, nil
	case "arm64":
		return Programs{Exit: arm64File(arm64Exit()), Spin: arm64File(arm64Spin()), Touch: arm64File(arm64Touch())}, nil
	default:
		return Programs{}, fmt.Errorf("there is no program for the processor %s; name one with --program", arch)
	}
}

// Numbers of the ELF format (elf(5)).
const (
	machineAMD64 = 62  // EM_X86_64
	machineARM64 = 183 // EM_AARCH64
	loadAddress  = 0x400000
	fileHeader   = 64
	segment      = 56
)

func amd64File(code []byte) []byte { return elfFile(machineAMD64, code) }

func arm64File(code []uint32) []byte {
	var b bytes.Buffer
	for _, instruction := range code {
		b.Write(binary.LittleEndian.AppendUint32(nil, instruction))
	}
	return elfFile(machineARM64, b.Bytes())
}

// elfFile puts the two headers that the kernel needs before the code: one segment, the whole file, readable and
// executable, and no sections.
func elfFile(machine uint16, code []byte) []byte {
	const headers = fileHeader + segment
	size := uint64(headers + len(code))
	b := []byte{
		0x7f, 'E', 'L', 'F', // e_ident: the magic number,
		2, 1, 1, 0, // 64 bits, little endian, version 1, System V ABI,
		0, 0, 0, 0, 0, 0, 0, 0, // ABI version and padding
	}
	le := binary.LittleEndian
	b = le.AppendUint16(b, 2)                   // e_type: ET_EXEC
	b = le.AppendUint16(b, machine)             // e_machine
	b = le.AppendUint32(b, 1)                   // e_version
	b = le.AppendUint64(b, loadAddress+headers) // e_entry: the code
	b = le.AppendUint64(b, fileHeader)          // e_phoff: the program header follows this one
	b = le.AppendUint64(b, 0)                   // e_shoff: no sections
	b = le.AppendUint32(b, 0)                   // e_flags
	b = le.AppendUint16(b, fileHeader)          // e_ehsize
	b = le.AppendUint16(b, segment)             // e_phentsize
	b = le.AppendUint16(b, 1)                   // e_phnum
	b = le.AppendUint16(b, 0)                   // e_shentsize
	b = le.AppendUint16(b, 0)                   // e_shnum
	b = le.AppendUint16(b, 0)                   // e_shstrndx

	b = le.AppendUint32(b, 1)           // p_type: PT_LOAD
	b = le.AppendUint32(b, 4|1)         // p_flags: PF_R, PF_X
	b = le.AppendUint64(b, 0)           // p_offset: from the start of the file
	b = le.AppendUint64(b, loadAddress) // p_vaddr
	b = le.AppendUint64(b, loadAddress) // p_paddr
	b = le.AppendUint64(b, size)        // p_filesz
	b = le.AppendUint64(b, size)        // p_memsz
	b = le.AppendUint64(b, 0x10000)     // p_align: the largest page of arm64
	return append(b, code...)
}

func amd64Exit() []byte {
	return []byte{
		0x31, 0xff, // xor edi, edi          the exit code
		0xb8, 231, 0, 0, 0, // mov eax, 231   exit_group
		0x0f, 0x05, // syscall
	}
}

func amd64Spin() []byte {
	code := binary.LittleEndian.AppendUint32([]byte{0xb9}, SpinIterations) // mov ecx, SpinIterations
	code = append(
		code,
		0xff, 0xc9, // dec ecx
		0x75, 0xfc, // jnz -4: back to dec
	)
	return append(code, amd64Exit()...)
}

func amd64Touch() []byte {
	code := []byte{
		0x31, 0xff, // xor edi, edi               anywhere
		0xbe, // mov esi, TouchBytes
	}
	code = binary.LittleEndian.AppendUint32(code, TouchBytes)
	code = append(
		code,
		0xba, 3, 0, 0, 0, // mov edx, 3           PROT_READ | PROT_WRITE
		0x41, 0xba, 0x22, 0, 0, 0, // mov r10d, 0x22  MAP_PRIVATE | MAP_ANONYMOUS
		0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff, // mov r8, -1   no file
		0x45, 0x31, 0xc9, // xor r9d, r9d         offset 0
		0xb8, 9, 0, 0, 0, // mov eax, 9           mmap
		0x0f, 0x05, // syscall; a failure gives an address that cannot be written
		0xb9, // mov ecx, number of writes
	)
	code = binary.LittleEndian.AppendUint32(code, TouchBytes/pageStep)
	code = append(
		code,
		0xc6, 0x00, 1, // mov byte [rax], 1
		0x48, 0x05, 0x00, 0x10, 0, 0, // add rax, 4096
		0xff, 0xc9, // dec ecx
		0x75, 0xf3, // jnz -13: back to the write
	)
	return append(code, amd64Exit()...)
}

// The instructions of arm64, each one word.
const (
	arm64Svc    = 0xd4000001 // svc #0
	arm64Store  = 0x39000002 // strb w2, [x0]
	arm64Page   = 0x91400400 // add x0, x0, #1, lsl #12
	arm64Dec    = 0xf1000421 // subs x1, x1, #1
	arm64Minus1 = 0x92800000 // movn xN, #0: xN = -1
)

// arm64Set sets register x(reg) to a number of up to 32 bits: movz, then movk for the upper half.
func arm64Set(reg, value uint32) []uint32 {
	code := []uint32{0xd2800000 | value&0xffff<<5 | reg}
	if upper := value >> 16; upper != 0 {
		code = append(code, 0xf2a00000|upper<<5|reg)
	}
	return code
}

// arm64Back is b.ne to so many instructions before it.
func arm64Back(instructions uint32) uint32 { return 0x54000001 | -instructions&0x7ffff<<5 }

func arm64Exit() []uint32 {
	code := arm64Set(0, 0)                  // the exit code
	code = append(code, arm64Set(8, 94)...) // exit_group
	return append(code, arm64Svc)
}

func arm64Spin() []uint32 {
	code := arm64Set(1, SpinIterations)
	code = append(code, arm64Dec, arm64Back(1))
	return append(code, arm64Exit()...)
}

func arm64Touch() []uint32 {
	code := arm64Set(0, 0)                          // anywhere
	code = append(code, arm64Set(1, TouchBytes)...) // length
	code = append(code, arm64Set(2, 3)...)          // PROT_READ | PROT_WRITE
	code = append(code, arm64Set(3, 0x22)...)       // MAP_PRIVATE | MAP_ANONYMOUS
	code = append(code, arm64Minus1|4)              // no file
	code = append(code, arm64Set(5, 0)...)          // offset 0
	code = append(code, arm64Set(8, 222)...)        // mmap
	code = append(code, arm64Svc)                   // a failure gives an address that cannot be written
	code = append(code, arm64Set(1, TouchBytes/pageStep)...)
	code = append(code, arm64Store, arm64Page, arm64Dec, arm64Back(3))
	return append(code, arm64Exit()...)
}
