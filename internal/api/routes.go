package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assay/internal/fault"
	"assay/internal/language"
)

// newHandler builds the routes. Each is wrapped with who may use it, so that none can be forgotten.
func newHandler(o Options, m *metrics, p policy) (*handler, error) {
	h := &handler{o: o, log: o.Logger, metrics: m, policy: p, mux: http.NewServeMux()}

	documented := humago.New(guarded{h}, documentConfig(o.Version))
	huma.Register(documented, languagesOperation(), h.languages)
	describe(documented.OpenAPI())
	document, err := json.Marshal(documented.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}

	h.route("POST /v1/run", guest, h.run)
	h.route("GET /healthz", public, h.health)
	h.route("GET /readyz", public, h.ready)
	h.route("GET /metrics", operator, m.handler.ServeHTTP)
	h.route("GET /openapi.json", public, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
	})
	if o.Page != nil {
		h.route("GET /{$}", public, o.Page.ServeHTTP)
		h.route("GET /assets/", public, o.Page.ServeHTTP)
	}
	for path, methods := range map[string]string{
		"/v1/run": "POST", "/v1/languages": "GET, HEAD", "/healthz": "GET, HEAD", "/readyz": "GET, HEAD",
		"/metrics": "GET, HEAD", "/openapi.json": "GET, HEAD", "/{$}": "GET, HEAD",
	} {
		h.mux.HandleFunc(path, h.wrongMethod(methods))
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, &fault.Error{Code: fault.NotFound, Message: "there is nothing at " + clip(r.URL.Path), Hint: "GET /openapi.json lists the calls"})
	})
	return h, nil
}

// route registers a handler behind the check of the token.
func (h *handler) route(pattern string, need access, next http.HandlerFunc) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := h.policy.authorize(r.Header.Get("Authorization"), need); err != nil {
			h.fail(w, r, err)
			return
		}
		next(w, r)
	})
}

// guarded lets huma register its operations behind the same check.
type guarded struct{ h *handler }

func (g guarded) HandleFunc(pattern string, next func(http.ResponseWriter, *http.Request)) {
	g.h.route(pattern, guest, next)
}

func (g guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.h.ServeHTTP(w, r) }

func (h *handler) wrongMethod(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, &refusal{
			status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: clip(r.Method) + " is not possible here",
			hint: "use " + strings.ReplaceAll(methods, ", ", " or "), header: "Allow", value: methods,
		})
	}
}

type languagesReply struct {
	Body struct {
		Languages []language.Info `json:"languages" nullable:"false"`
	}
}

func (h *handler) languages(ctx context.Context, _ *struct{}) (*languagesReply, error) {
	reply := new(languagesReply)
	reply.Body.Languages = h.o.Languages.List(ctx)
	if reply.Body.Languages == nil {
		reply.Body.Languages = []language.Info{}
	}
	return reply, nil
}

// health says that the process answers: it never depends on anything else.
func (h *handler) health(w http.ResponseWriter, _ *http.Request) { writeState(w, "ok") }

// ready says whether new work should be sent here.
func (h *handler) ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		h.fail(w, r, stopping())
		return
	}
	if h.o.Ready != nil {
		if err := h.o.Ready(); err != nil {
			h.fail(w, r, notReady(err))
			return
		}
	}
	writeState(w, "ready")
}

// notReady names the reason whatever kind of error it is: this answer is for the operator.
func notReady(err error) error {
	if code := fault.CodeOf(err); code == fault.Degraded || code == fault.Stopping || code == fault.Busy {
		return err
	}
	return &fault.Error{Code: fault.Degraded, Message: err.Error(), Hint: "run assay doctor on this host", Retry: true}
}

func writeState(w http.ResponseWriter, state string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(`{"status":"` + state + `"}` + "\n"))
}
