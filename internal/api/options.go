package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"assay/internal/engine"
	"assay/internal/language"
)

// Runner does one synchronous run (engine.Engine).
type Runner interface {
	Run(ctx context.Context, r engine.Request) (engine.Result, error)
}

// Languages lists what can be run (language.Catalog).
type Languages interface {
	List(ctx context.Context) []language.Info
}

// Slots tells how many sandboxes there are and how many of them are free (a sandbox driver).
type Slots interface {
	Slots() (total, free int)
}

// Options configure a Server. Runner, Languages and Logger are required; a zero value elsewhere means the default.
type Options struct {
	Runner    Runner
	Languages Languages
	Logger    *slog.Logger

	// Page answers GET / and GET /assets/…; nil serves no page.
	Page http.Handler
	// Ready says why this process must not get work; nil, or a nil error, is ready.
	Ready func() error
	// Slots feeds gauges of /metrics, and so does Waiting, which tells how many runs wait for a slot; nil leaves them out.
	Slots   Slots
	Waiting func() int
	// LanguageID gives the id for a name that the Runner accepted, for the labels of /metrics. nil takes the name as it is, without
	// its version.
	LanguageID func(name string) string
	// Version is assay's own, for the OpenAPI document.
	Version string

	// AdminToken is the bearer token that is accepted; empty: none is.
	AdminToken string
	// AllowGuests lets callers without a token in although the server listens beyond loopback.
	AllowGuests bool
	// Hosts are further names that the Host header may carry, without a port.
	Hosts []string

	// MaxBody is the most bytes of a request's body; default 32 MiB.
	MaxBody int64
	// MaxHeader is the most bytes of a request's headers; default 64 KiB.
	MaxHeader int
	// HeaderTimeout bounds reading the headers; default 10 s.
	HeaderTimeout time.Duration
	// BodyTimeout bounds reading the body; default 60 s.
	BodyTimeout time.Duration
	// WriteTimeout bounds writing the answer, from its first byte on; default 60 s.
	WriteTimeout time.Duration
	// IdleTimeout is how long a connection may stay open between requests; default 2 min.
	IdleTimeout time.Duration
	// Grace is how long running requests may go on once the server stops; default 30 s.
	Grace time.Duration
}

// withDefaults fills what was left zero.
func (o Options) withDefaults() Options {
	setDefault(&o.MaxBody, 32<<20)
	setDefault(&o.MaxHeader, 64<<10)
	setDefault(&o.HeaderTimeout, 10*time.Second)
	setDefault(&o.BodyTimeout, time.Minute)
	setDefault(&o.WriteTimeout, time.Minute)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	setDefault(&o.Grace, 30*time.Second)
	setDefault(&o.Version, "dev")
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
