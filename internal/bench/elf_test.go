package bench

import (
	"bytes"
	"debug/elf"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The programs of every processor are files that the standard library's reader accepts, with the entry inside the segment.
func TestProgramsAreELF(t *testing.T) {
	t.Parallel()
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		programs, err := Make(arch)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{"exit": programs.Exit, "spin": programs.Spin, "touch": programs.Touch} {
			f, err := elf.NewFile(bytes.NewReader(data))
			if err != nil {
				t.Errorf("%s %s: %v", arch, name, err)
				continue
			}
			load := f.Progs[0]
			if f.Machine != machine || f.Type != elf.ET_EXEC || len(f.Progs) != 1 || load.Type != elf.PT_LOAD || load.Filesz != uint64(len(data)) {
				t.Errorf("%s %s: %+v %+v", arch, name, f.FileHeader, load.ProgHeader)
			}
			if f.Entry != load.Vaddr+fileHeader+segment {
				t.Errorf("%s %s: entry %#x", arch, name, f.Entry)
			}
		}
	}
	if _, err := Make("vax"); err == nil || !strings.Contains(err.Error(), "vax") {
		t.Errorf("an unknown processor: %v", err)
	}
}

// The instructions of arm64, as an assembler and a disassembler give them, since they cannot be run on every machine.
func TestInstructionsOfARM64(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		got, want []uint32
	}{
		{"mov x0, 0", arm64Set(0, 0), []uint32{0xd2800000}},
		{"mov x8, 94", arm64Set(8, 94), []uint32{0xd2800bc8}},
		{"mov x1, 0x1dcd6500", arm64Set(1, 0x1dcd6500), []uint32{0xd28ca001, 0xf2a3b9a1}},
		{"b.ne .-4", []uint32{arm64Back(1)}, []uint32{0x54ffffe1}},
		{"b.ne .-12", []uint32{arm64Back(3)}, []uint32{0x54ffffa1}},
	} {
		if len(tt.got) != len(tt.want) {
			t.Errorf("%s: %#x, want %#x", tt.name, tt.got, tt.want)
			continue
		}
		for i := range tt.want {
			if tt.got[i] != tt.want[i] {
				t.Errorf("%s: %#x, want %#x", tt.name, tt.got, tt.want)
			}
		}
	}
}

// On this machine the programs do what they say.
func TestProgramsRun(t *testing.T) {
	t.Parallel()
	programs, err := Make(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		program   []byte
		leastKiB  int64
		usesClock bool
	}{
		{"exit", programs.Exit, 0, false},
		{"spin", programs.Spin, 0, true},
		{"touch", programs.Touch, TouchBytes >> 10, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file, remove, err := place(tt.program)
			if err != nil {
				t.Fatal(err)
			}
			defer remove()
			cmd := exec.CommandContext(t.Context(), file)
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if usage.Maxrss < tt.leastKiB {
				t.Errorf("used %d KiB, want %d at least", usage.Maxrss, tt.leastKiB)
			}
			if tt.usesClock && cmd.ProcessState.UserTime() == 0 {
				t.Error("used no CPU time")
			}
		})
	}
}
