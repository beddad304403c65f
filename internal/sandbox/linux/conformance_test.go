package linux

import (
	"testing"

	"assay/internal/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sandboxtest.Run(t, func(t *testing.T, slots int) sandboxtest.Sandbox { return newDriver(t, slots) })
}
