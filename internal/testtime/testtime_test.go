package testtime

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"": 1, "1": 1, "2.5": 2.5, "100": 100, "1e1": 10} {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "0.9", "101", "-2", "NaN", "Inf", "ten", " 2", "2x"} {
		if got, err := parse(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestStretch(t *testing.T) {
	t.Setenv(Variable, "2.5")
	if got := Stretch(2 * time.Second); got != 5*time.Second {
		t.Errorf("2 s by 2.5 are %v", got)
	}
	if got := Rounds(1000); got != 400 {
		t.Errorf("1000 rounds by 2.5 are %d", got)
	}
	t.Setenv(Variable, "50")
	if got := [3]int{Rounds(1000), Rounds(5), Rounds(0)}; got != [3]int{100, 1, 0} {
		t.Errorf("rounds by 50: %v", got)
	}
	t.Setenv(Variable, "")
	if got := Rounds(1000); got != 1000 {
		t.Errorf("without a factor: %d rounds", got)
	}
	if got := Stretch(2 * time.Second); got != 2*time.Second {
		t.Errorf("without a factor: %v", got)
	}
	t.Setenv(Variable, "many")
	defer func() {
		if recover() == nil {
			t.Error("rubbish was taken for a factor")
		}
	}()
	Stretch(time.Second)
}
