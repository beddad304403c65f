package linux

import (
	"assay/internal/sandbox/linux/cgroup"
	"assay/internal/sandbox/linux/sample"
)

// hostGroups is what was found of the control group that slots' groups would be made below.
type hostGroups struct {
	parent   cgroup.Parent // nil with an error in find
	find     error         // there is none that could be used
	writable error         // there is one, but no groups can be made below it
}

func lookForGroups() hostGroups {
	var g hostGroups
	if g.parent, g.find = cgroup.Find("assay-doctor"); g.find == nil {
		g.writable = cgroup.Writable(g.parent)
	}
	return g
}

// version of the control groups; 0 for none.
func (g hostGroups) version() int {
	if g.find != nil {
		return 0
	}
	return g.parent.Version()
}

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
