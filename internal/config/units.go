package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Binary units of bytes.
const (
	kib int64 = 1 << 10
	mib int64 = 1 << 20
	gib int64 = 1 << 30
)

// ParseSize reads a number of bytes: "1024", "64MB" (10⁶), "256MiB" (2²⁰) or "256M" (the same as MiB); a fraction
// such as "1.5GiB" is allowed. The sign is not checked: bounds are the caller's.
func ParseSize(text string) (int64, error) {
	t := strings.TrimSpace(text)
	cut := len(t)
	for cut > 0 && !strings.ContainsRune("0123456789.", rune(t[cut-1])) {
		cut--
	}
	number, unit := strings.TrimSpace(t[:cut]), strings.ToLower(strings.TrimSpace(t[cut:]))
	factor, known := sizeFactor(unit)
	if !known || number == "" {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n > math.MaxInt64/factor || n < math.MinInt64/factor {
			return 0, fmt.Errorf("%q is too large", text)
		}
		return n * factor, nil
	}
	if strings.Trim(number, "-0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size", text)
	}
	f *= float64(factor)
	if math.Abs(f) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is too large", text)
	}
	return int64(f), nil
}

// sizeFactor gives the bytes of a unit in lower case.
func sizeFactor(unit string) (int64, bool) {
	switch unit {
	case "", "b":
		return 1, true
	case "k", "kib":
		return kib, true
	case "m", "mib":
		return mib, true
	case "g", "gib":
		return gib, true
	case "t", "tib":
		return gib << 10, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	case "tb":
		return 1e12, true
	}
	return 0, false
}

// FormatSize writes a number of bytes in the largest binary unit that divides it, so that ParseSize gives it back.
func FormatSize(n int64) string {
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"GiB", gib}, {"MiB", mib}, {"KiB", kib}} {
		if n != 0 && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseDuration reads a time: "2s", "1500ms", "1m30s". A number without a unit is refused, since seconds and
// milliseconds are both in common use. The sign is not checked: bounds are the caller's.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%q is not a time", text)
	}
	return d, nil
}

// formatDuration writes a time without the zero units of time.Duration.String ("5m", not "5m0s").
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
