package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"assay/internal/engine"
	"assay/internal/fault"
)

func TestDecodeRunTakesEveryField(t *testing.T) {
	t.Parallel()
	req, err := decodeRun([]byte(`{"language":"cpp","files":[{"name":"a.cpp","content":"x\u0000\r\n"},{"name":"b","content_base64":"AP8="}],
		"stdin":"in\ud83d\ude00","args":["-v",""],"options":{"standard":20,"static":true,"warnings":"all","none":null},
		"limits":{"cpu_time_ms":1e3,"wall_time_ms":2000.0,"memory_bytes":1,"stack_bytes":2,"processes":3,"output_bytes":-4,"cpu_percent":50},"network":true}`))
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := io.ReadAll(req.Stdin)
	if err != nil || string(stdin) != "in😀" {
		t.Errorf("stdin %q, %v", stdin, err)
	}
	req.Stdin = nil
	i64 := func(n int64) *int64 { return &n }
	three, fifty := 3, 50
	want := engine.Request{
		Language: "cpp",
		Files:    []engine.SourceFile{{Name: "a.cpp", Content: []byte("x\x00\r\n")}, {Name: "b", Content: []byte{0, 0xff}}},
		Args:     []string{"-v", ""},
		Options:  map[string]string{"standard": "20", "static": "true", "warnings": "all"},
		Limits: engine.LimitOverrides{
			CPUTimeMS: i64(1000), WallTimeMS: i64(2000), MemoryBytes: i64(1), StackBytes: i64(2), Processes: &three, OutputBytes: i64(-4), CPUPercent: &fifty,
		},
		Network: true,
	}
	if !reflect.DeepEqual(req, want) {
		t.Errorf("got %+v\nwant %+v", req, want)
	}
}

func TestDecodeRunTakesNullAsLeftOut(t *testing.T) {
	t.Parallel()
	req, err := decodeRun([]byte(`{"language":"py","source":"","files":null,"stdin":null,"args":null,"options":null,"limits":{"cpu_time_ms":null},"network":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := engine.Request{Language: "py", Files: []engine.SourceFile{{Content: []byte{}}}}
	if !reflect.DeepEqual(req, want) {
		t.Errorf("got %+v, want %+v", req, want)
	}
}

func TestDecodeRunNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const (
		head = `{"language":"c","source":"x",`
		bad  = "malformed"
		inv  = "invalid"
	)
	tests := []struct {
		name, body, code, field string
	}{
		{"empty", "", bad, ""},
		{"spaces", " \n", bad, ""},
		{"not JSON", "language=c", bad, ""},
		{"array", "[]", bad, ""},
		{"null", "null", bad, ""},
		{"string", `"c"`, bad, ""},
		{"cut off", `{"language":"c"`, bad, ""},
		{"cut off in a string", `{"language":"c`, bad, ""},
		{"trailing comma", `{"language":"c",}`, bad, ""},
		{"two values", head + `"stdin":""} {}`, bad, ""},
		{"garbage after it", head + `"stdin":""}]`, bad, ""},
		{"byte order mark", "\ufeff{}", bad, ""},
		{"NaN", head + `"limits":{"cpu_time_ms":NaN}}`, bad, ""},
		{"Infinity", head + `"limits":{"cpu_time_ms":Infinity}}`, bad, ""},
		{"hexadecimal", head + `"limits":{"cpu_time_ms":0x10}}`, bad, ""},
		{"single quotes", `{'language':'c'}`, bad, ""},
		{"comment", `{/**/}`, bad, ""},
		{"not UTF-8", "{\"language\":\"c\",\"source\":\"\xff\"}", bad, ""},
		{"lone high surrogate", `{"language":"c","source":"\ud800"}`, bad, ""},
		{"lone high surrogate before text", `{"language":"c","source":"\uD800x\n"}`, bad, ""},
		{"two high surrogates", `{"language":"c","source":"\ud800\ud800"}`, bad, ""},
		{"lone low surrogate", `{"language":"c","source":"\\\udc00"}`, bad, ""},
		{"two low surrogates", `{"language":"c","source":"\udc00\udc00"}`, bad, ""},
		{"control character", "{\"language\":\"c\",\"source\":\"a\x00b\"}", bad, ""},
		{"deep nesting", strings.Repeat("[", 1_000_000), bad, ""},
		{"deep nesting in a field", head + `"args":` + strings.Repeat("[", 1_000_000), inv, "args[0]"},
		{"deep objects in options", head + `"options":{"a":` + strings.Repeat(`{"a":`, 100_000), inv, "options.a"},
		{"no language", `{"source":"x"}`, inv, "language"},
		{"empty language", `{"language":"","source":"x"}`, inv, "language"},
		{"null language", `{"language":null,"source":"x"}`, inv, "language"},
		{"no source", `{"language":"c"}`, inv, "source"},
		{"empty files", `{"language":"c","files":[]}`, inv, "source"},
		{"source and files", head + `"files":[{"content":"x"}]}`, inv, "source"},
		{"unknown field", head + `"timeout":1}`, inv, "timeout"},
		{"case matters", head + `"Stdin":""}`, inv, "Stdin"},
		{"unknown limit", head + `"limits":{"cpu":1}}`, inv, "limits.cpu"},
		{"unknown file field", `{"language":"c","files":[{"content":"x","mode":1}]}`, inv, "files[0].mode"},
		{"repeated field", head + `"source":"y"}`, inv, "source"},
		{"repeated limit", head + `"limits":{"processes":1,"processes":2}}`, inv, "limits.processes"},
		{"repeated option", head + `"options":{"a":"1","a":"2"}}`, inv, "options.a"},
		{"network type", head + `"network":1}`, inv, "network"},
		{"language type", `{"language":1}`, inv, "language"},
		{"source type", `{"language":"c","source":["x"]}`, inv, "source"},
		{"stdin type", head + `"stdin":5}`, inv, "stdin"},
		{"args type", head + `"args":"x"}`, inv, "args"},
		{"arg type", head + `"args":["x",1]}`, inv, "args[1]"},
		{"arg null", head + `"args":[null]}`, inv, "args[0]"},
		{"files type", `{"language":"c","files":{}}`, inv, "files"},
		{"file type", `{"language":"c","files":["x"]}`, inv, "files[0]"},
		{"file name type", `{"language":"c","files":[{"name":1}]}`, inv, "files[0].name"},
		{"file without content", `{"language":"c","files":[{"content":"x"},{"name":"a"}]}`, inv, "files[1]"},
		{"file with two contents", `{"language":"c","files":[{"content":"x","content_base64":""}]}`, inv, "files[0]"},
		{"not base64", `{"language":"c","files":[{"content_base64":"%%"}]}`, inv, "files[0].content_base64"},
		{"options type", head + `"options":[]}`, inv, "options"},
		{"option type", head + `"options":{"a":[]}}`, inv, "options.a"},
		{"limits type", head + `"limits":5}`, inv, "limits"},
		{"limit type", head + `"limits":{"cpu_time_ms":"1"}}`, inv, "limits.cpu_time_ms"},
		{"limit boolean", head + `"limits":{"cpu_time_ms":true}}`, inv, "limits.cpu_time_ms"},
		{"limit fraction", head + `"limits":{"cpu_time_ms":1.5}}`, inv, "limits.cpu_time_ms"},
		{"limit too large", head + `"limits":{"memory_bytes":1e400}}`, inv, "limits.memory_bytes"},
		{"limit of many digits", head + `"limits":{"memory_bytes":` + strings.Repeat("9", 100_000) + `}}`, inv, "limits.memory_bytes"},
		{"too many args", head + `"args":[` + strings.Repeat(`"",`, maxItems) + `""]}`, "too_large", "args"},
		{"too many options", head + `"options":{` + manyOptions() + `}}`, inv, "options"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeRun([]byte(tt.body))
			if err == nil {
				t.Fatal("no error")
			}
			p, _ := problemOf(t.Context(), err)
			if p.Code != tt.code || p.Field != tt.field {
				t.Errorf("code %q field %q (%s), want %q %q", p.Code, p.Field, p.Detail, tt.code, tt.field)
			}
			if len(p.Detail) > 300 || !utf8.ValidString(p.Detail) {
				t.Errorf("detail of %d bytes", len(p.Detail))
			}
		})
	}
}

func manyOptions() string {
	var b strings.Builder
	for i := range maxNames + 1 {
		b.WriteString(`,"o` + strings.Repeat("o", i) + `":""`)
	}
	return b.String()[1:]
}

func TestDecodeRunSaysWhichType(t *testing.T) {
	t.Parallel()
	_, err := decodeRun([]byte(`{"language":"c","source":"","limits":{"cpu_time_ms":"fast"}}`))
	p, _ := problemOf(t.Context(), err)
	if p.Detail != "limits.cpu_time_ms: must be a number" {
		t.Errorf("detail %q", p.Detail)
	}
}

// FuzzDecodeRun: the decoder never panics, every error is the caller's, and what it accepts encoding/json accepts too, with the
// same source.
func FuzzDecodeRun(f *testing.F) {
	for _, seed := range []string{
		`{"language":"c","source":"x","stdin":"","args":["a"],"options":{"a":1},"limits":{"cpu_time_ms":1e3}}`,
		`{"language":"c","files":[{"name":"a","content":"x"},{"content_base64":"AA=="}]}`,
		`{"language":"c","source":"\ud83d\ude00\\\ud800"}`, `{"language":null`, `[[[[`, "\xff", `{"source":"x","source":"y"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := decodeRun(bytes.Clone(body))
		if err != nil {
			var r *refusal
			code := fault.CodeOf(err)
			if !errors.As(err, &r) && code != fault.Invalid && code != fault.TooLarge {
				t.Fatalf("%T %v", err, err)
			}
			if p, _ := problemOf(t.Context(), err); p.Status < 400 || p.Status > 499 || p.Detail == "" {
				t.Fatalf("%+v", p)
			}
			return
		}
		var plain struct {
			Source *string
			Files  []struct {
				Content *string
			}
		}
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if plain.Source != nil && string(req.Files[0].Content) != *plain.Source {
			t.Fatalf("source %q, encoding/json reads %q", req.Files[0].Content, *plain.Source)
		}
		for i, file := range plain.Files {
			if file.Content != nil && string(req.Files[i].Content) != *file.Content {
				t.Fatalf("file %d: %q, encoding/json reads %q", i, req.Files[i].Content, *file.Content)
			}
		}
	})
}

// TestDecodeInPlace: base64 that is decoded into its own memory is what the standard library makes of it elsewhere.
func TestDecodeInPlace(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for size := range 3000 {
		content := make([]byte, size)
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(content)
		if size%7 == 1 && size > 50 { // an escaped slash or line break has the text copied first
			text = strings.ReplaceAll(text[:size/2], "/", `\/`) + `\n` + text[size/2:]
		}
		req, err := decodeRun([]byte(`{"language":"exe","files":[{"name":"a","content_base64":"` + text + `"}]}`))
		if err != nil || !bytes.Equal(req.Files[0].Content, content) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
	for _, bad := range []string{"A", "AA", "AAA", "AAAA=", "A===", "AA=A", "@AAA", strings.Repeat("A", 4001), strings.Repeat("AAAA", 999) + "A*AA"} {
		if _, err := decodeRun([]byte(`{"language":"exe","files":[{"name":"a","content_base64":"` + bad + `"}]}`)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
