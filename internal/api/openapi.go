package api

import (
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/engine"
)

// runRequest documents the body of POST /v1/run; decodeRun reads it. A test keeps the two together.
type runRequest struct {
	Language string            `json:"language" doc:"An id or alias of GET /v1/languages; a version may follow." example:"python"`
	Source   string            `json:"source,omitempty" doc:"The program's text; instead of files." example:"print(input())"`
	Files    []runFile         `json:"files,omitempty" nullable:"false" doc:"The program's files, the main one first; instead of source."`
	Stdin    string            `json:"stdin,omitempty" doc:"What the program reads from standard input." example:"hello"`
	Args     []string          `json:"args,omitempty" nullable:"false" doc:"The program's arguments."`
	Options  map[string]string `json:"options,omitempty" doc:"Settings of the language; GET /v1/languages lists them. Numbers and booleans are taken as their text."`
	Limits   runLimits         `json:"limits,omitempty" doc:"What the program may use; what is left out has the language's default."`
	Network  bool              `json:"network,omitempty" doc:"Asks for network access. Refused unless the operator allows it, and in this version always."`
}

type runFile struct {
	Name          string `json:"name,omitempty" doc:"A path below the working folder; empty for the language's usual name." example:"main.py"`
	Content       string `json:"content,omitempty" doc:"The file's text."`
	ContentBase64 string `json:"content_base64,omitempty" contentEncoding:"base64" doc:"The file's bytes, for what is not text: a program of the language exe, say."`
}

type runLimits struct {
	CPUTimeMS   int64 `json:"cpu_time_ms,omitempty" minimum:"1" doc:"CPU time of all its processes together, in milliseconds." example:"2000"`
	WallTimeMS  int64 `json:"wall_time_ms,omitempty" minimum:"1" doc:"Time by the clock, in milliseconds."`
	MemoryBytes int64 `json:"memory_bytes,omitempty" minimum:"1" doc:"Memory of all its processes and of the files they write, in bytes." example:"268435456"`
	StackBytes  int64 `json:"stack_bytes,omitempty" minimum:"1" doc:"Stack of the main thread, in bytes."`
	Processes   int   `json:"processes,omitempty" minimum:"1" doc:"Processes and threads together."`
	OutputBytes int64 `json:"output_bytes,omitempty" minimum:"0" doc:"Bytes for each of standard output and standard error."`
	CPUPercent  int   `json:"cpu_percent,omitempty" minimum:"0" doc:"Rate: 100 is one core, 0 is no limit."`
}

// documentConfig sets up huma without its pages and its $schema members: the document alone is served.
func documentConfig(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "assay", Version: version,
				Description: "Compiles and runs programs that nobody trusts, in a sandbox of their own. Errors are application/problem+json (RFC 9457); switch on their code.",
			},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "Not needed where the server lets guests in, as it does on a loopback address."},
				},
			},
			Security: []map[string][]string{{}, {"token": {}}},
		},
		Formats: map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
	}
}

func languagesOperation() huma.Operation {
	return huma.Operation{
		OperationID: "list-languages", Method: http.MethodGet, Path: "/v1/languages",
		Summary: "What can be run here", Description: "Languages whose toolchain this host lacks are listed too, with the reason.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The languages", Content: map[string]*huma.MediaType{"application/json": {Example: languagesExample()}}},
			"401": problemResponse(http.StatusUnauthorized),
		},
	}
}

// problemResponse documents an error; describe registers the schema.
func problemResponse(status int) *huma.Response {
	return &huma.Response{
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
	}
}

// describe adds the operations that plain handlers serve.
func describe(doc *huma.OpenAPI) {
	schema := func(v any, name string) *huma.Schema {
		return doc.Components.Schemas.Schema(reflect.TypeOf(v), true, name)
	}
	schema(Problem{}, "Problem")
	// huma registers its own kind of error with each operation; no call gives it.
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	delete(doc.Components.Schemas.Map(), "ErrorDetail")
	for _, s := range doc.Components.Schemas.Map() {
		for _, property := range s.Properties {
			property.Nullable = property.Nullable && property.Type != huma.TypeArray // lists are never null in an answer
		}
	}
	responses := func(ok *huma.Response, errors ...int) map[string]*huma.Response {
		all := map[string]*huma.Response{"200": ok}
		for _, status := range errors {
			all[strconv.Itoa(status)] = problemResponse(status)
		}
		return all
	}
	content := func(kind string, s *huma.Schema, examples map[string]*huma.Example) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{kind: {Schema: s, Examples: examples}}
	}
	state := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"status": {Type: "string"}}, Required: []string{"status"}}
	open := []map[string][]string{{}}

	doc.AddOperation(&huma.Operation{
		OperationID: "run", Method: http.MethodPost, Path: "/v1/run", Summary: "Compile and run one program",
		Description: "One run, nothing stored. The answer is 200 whatever became of the program: its status says it. " +
			"A member that is null counts as left out; an unknown one is refused. When every sandbox is busy the request waits in a " +
			"bounded line, then gets 503 with Retry-After. A caller that goes away ends its run.",
		RequestBody: &huma.RequestBody{Required: true, Content: content("application/json", schema(runRequest{}, "RunRequest"), requestExamples())},
		Responses: responses(&huma.Response{
			Description: "What became of the program", Content: content("application/json", schema(engine.Result{}, "Result"), resultExamples()),
		}, 400, 401, 403, 408, 413, 415, 421, 422, 500, 503),
	})
	doc.AddOperation(&huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/healthz", Summary: "Whether the process answers", Security: open,
		Responses: responses(&huma.Response{Description: "It does", Content: content("application/json", state, nil)}),
	})
	doc.AddOperation(&huma.Operation{
		OperationID: "ready", Method: http.MethodGet, Path: "/readyz", Summary: "Whether to send work here", Security: open,
		Responses: responses(&huma.Response{Description: "Send work", Content: content("application/json", state, nil)}, 503),
	})
	doc.AddOperation(&huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Summary: "Metrics for Prometheus",
		Description: "Needs a token unless the server listens on a loopback address.",
		Responses:   responses(&huma.Response{Description: "Metrics", Content: content("text/plain", &huma.Schema{Type: "string"}, nil)}, 401),
	})
	doc.AddOperation(&huma.Operation{
		OperationID: "openapi", Method: http.MethodGet, Path: "/openapi.json", Summary: "This document", Security: open,
		Responses: responses(&huma.Response{Description: "This document", Content: content("application/json", &huma.Schema{Type: "object"}, nil)}),
	})
}
