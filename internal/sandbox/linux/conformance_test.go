package linux

import (
	"os"
	"testing"

	"assay/internal/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	d := newDriver(t, 1)
	sampled := d.parent.Version() == 0
	// See package sample.
	without := sandboxtest.Without{CPURate: !d.parent.HasCPURate(), ForkCount: sampled, ExactMemory: sampled}
	if os.Getenv(degradedEnv) == "" && without != (sandboxtest.Without{}) {
		t.Errorf("this host is without %+v", without)
	}
	sandboxtest.Run(t, func(t *testing.T, slots int) sandboxtest.Sandbox { return newDriver(t, slots) }, without)
}
