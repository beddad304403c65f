package linux

import (
	"assay/internal/sandbox/linux/cgroup"
	"assay/internal/sandbox/linux/sample"
)

// findGroups gives the control group to make slots' groups below. Where none can be made, degraded has it be done without.
func findGroups(name string, degraded bool) (cgroup.Parent, error) {
	parent, err := cgroup.Find(name)
	if err == nil {
		err = cgroup.Writable(parent)
	}
	if err != nil && degraded {
		return sample.Parent{}, nil
	}
	return parent, err
}
