package api

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

type jsonSchema struct {
	Properties           map[string]any `json:"properties"`
	Required             []string       `json:"required"`
	AdditionalProperties any            `json:"additionalProperties"`
}

type openAPI struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		RequestBody struct {
			Content map[string]struct {
				Examples map[string]struct {
					Value json.RawMessage `json:"value"`
				} `json:"examples"`
			} `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Content map[string]any `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]jsonSchema `json:"schemas"`
	} `json:"components"`
}

func TestOpenAPIAgreesWithTheServer(t *testing.T) {
	t.Parallel()
	r := start(t, Options{Version: "1.2"}).do("GET", "/openapi.json", "")
	var doc openAPI
	if err := json.Unmarshal([]byte(r.body), &doc); err != nil || r.status != 200 || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%d %v %s", r.status, err, r.body)
	}
	for _, path := range []string{"/v1/run", "/v1/languages", "/healthz", "/readyz", "/metrics", "/openapi.json"} {
		if len(doc.Paths[path]) != 1 {
			t.Errorf("%s: %d operations", path, len(doc.Paths[path]))
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllStringSubmatch(r.body, -1) {
		if _, ok := doc.Components.Schemas[ref[1]]; !ok {
			t.Errorf("schema %s is referred to and missing", ref[1])
		}
	}
	if strings.Contains(r.body, "ErrorModel") {
		t.Error("an error that no call gives is documented")
	}
	for schema, fields := range map[string][]string{"RunRequest": runFields, "RunFile": fileFields, "RunLimits": limitsFields} {
		var names []string
		for name := range doc.Components.Schemas[schema].Properties {
			names = append(names, name)
		}
		want := slices.Clone(fields)
		sort.Strings(names)
		sort.Strings(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s documents %v, the decoder reads %v", schema, names, want)
		}
		if doc.Components.Schemas[schema].AdditionalProperties != false {
			t.Errorf("%s does not say that other names are refused", schema)
		}
	}
	run := doc.Paths["/v1/run"]["post"]
	if len(run.RequestBody.Content["application/json"].Examples) == 0 {
		t.Error("no examples")
	}
	for name, example := range run.RequestBody.Content["application/json"].Examples {
		if _, err := decodeRun(example.Value); err != nil {
			t.Errorf("example %s: %v", name, err)
		}
	}
	for _, status := range []string{"400", "413", "415", "422", "503"} {
		if run.Responses[status].Content["application/problem+json"] == nil {
			t.Errorf("status %s is not documented", status)
		}
	}
	if got := doc.Components.Schemas["Result"].Required; !slices.Contains(got, "compile") || slices.Contains(got, "stdout_base64") {
		t.Errorf("required of Result: %v", got)
	}
}
