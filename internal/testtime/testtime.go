// Package testtime stretches the limits and deadlines of tests, and shortens their repetitions, on machines that are slower than those they were written
// for, such as emulated ones. Only tests and their helpers import it; what belongs here is the factor and nothing else.
package testtime

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

// Variable is the environment variable with the factor: a decimal number from 1 to Most. Unset or empty means 1.
const Variable = "ASSAY_TEST_TIME_FACTOR"

// Most is the largest factor: beyond it, stretched limits would leave the bounds of what a run may ask for.
const Most = 100

// Stretch multiplies a limit or a deadline by the factor. It panics when the variable holds anything but a factor, since
// a test that ran without it would fail for no reason of its own.
func Stretch(d time.Duration) time.Duration { return time.Duration(float64(d) * Factor()) }

// Factor is what Stretch multiplies by.
func Factor() float64 {
	f, err := parse(os.Getenv(Variable))
	if err != nil {
		panic(err)
	}
	return f
}

// Rounds is how often a test repeats what it does n times elsewhere: fewer times on a slower machine, so that it takes about as
// long, but at least a tenth of n. It is for tests that look for something rare, and that other machines run in full.
func Rounds(n int) int { return max(int(float64(n)/Factor()), (n+9)/10) }

func parse(text string) (float64, error) {
	if text == "" {
		return 1, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 1 || f > Most {
		return 0, fmt.Errorf("%s is %q: give a number from 1 to %d", Variable, text, Most)
	}
	return f, nil
}
