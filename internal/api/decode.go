package api

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/segmentio/asm/base64"

	"assay/internal/engine"
	"assay/internal/fault"
)

// maxItems bounds each list of a request: an empty string takes 3 bytes of a body and 16 of memory.
const maxItems = 10_000

// decodeRun turns the body of POST /v1/run into a request. It is strict, so that a slip is told instead of ignored: unknown
// and repeated names, wrong types and characters that Unicode does not have are errors that name their place. null is the
// same as leaving a member out. What the values mean is the engine's to judge. The request shares the body's memory, which is
// overwritten in places.
func decodeRun(body []byte) (engine.Request, error) {
	d, err := newJSONReader(body)
	if err != nil {
		return engine.Request{}, err
	}
	var (
		req    engine.Request
		source []byte // nil: not given
	)
	err = d.object("", runFields, func(name string) (err error) {
		switch name {
		case "language":
			req.Language, err = d.text(name)
		case "source":
			source, err = d.bytes(name)
		case "files":
			err = d.array(name, func(at string) error {
				file, err := decodeFile(d, at)
				req.Files = append(req.Files, file)
				return err
			})
		case "stdin":
			var stdin []byte
			if stdin, err = d.bytes(name); len(stdin) > 0 {
				req.Stdin = bytes.NewReader(stdin)
			}
		case "args":
			err = d.array(name, func(at string) error {
				arg, err := d.bytes(at)
				if arg == nil && err == nil {
					return fault.Invalidf(at, "", "must be a string")
				}
				req.Args = append(req.Args, string(arg))
				return err
			})
		case "network":
			req.Network, err = decodeBool(d, name)
		case "options":
			err = decodeOptions(d, &req)
		default:
			err = decodeLimits(d, &req.Limits)
		}
		return err
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return engine.Request{}, err
	}
	switch {
	case req.Language == "":
		return engine.Request{}, fault.Invalidf("language", "GET /v1/languages lists the ids", "is missing")
	case source != nil && req.Files != nil:
		return engine.Request{}, fault.Invalidf("source", "leave one of them out", "both source and files are given")
	case source != nil:
		req.Files = []engine.SourceFile{{Content: source}}
	case req.Files == nil:
		return engine.Request{}, fault.Invalidf("source", "give the program's text as source, or files", "is missing")
	}
	return req, nil
}

// The members of each object. A test compares them with the OpenAPI document.
var (
	runFields    = []string{"language", "source", "files", "stdin", "args", "options", "limits", "network"}
	fileFields   = []string{"name", "content", "content_base64"}
	limitsFields = []string{"cpu_time_ms", "wall_time_ms", "memory_bytes", "stack_bytes", "processes", "output_bytes", "cpu_percent"}
)

func decodeFile(d *jsonReader, at string) (engine.SourceFile, error) {
	var (
		file         engine.SourceFile
		text, binary []byte // nil: not given
	)
	err := d.object(at, fileFields, func(name string) (err error) {
		where := at + "." + name
		switch name {
		case "name":
			file.Name, err = d.text(where)
		case "content":
			text, err = d.bytes(where)
		default:
			d.base64 = true
			binary, err = d.bytes(where)
			d.base64 = false
		}
		return err
	})
	switch {
	case err != nil:
		return file, err
	case text != nil && binary != nil:
		return file, fault.Invalidf(at, "leave one of them out", "both content and content_base64 are given")
	case text != nil:
		file.Content = text
	case binary != nil:
		// In place, since nobody needs the text any more: 4 characters are read before 3 bytes are written, by the
		// vector code in blocks. TestDecodeInPlace holds that against another decoder.
		n, err := base64.StdEncoding.Decode(binary, binary)
		file.Content = binary[:n:n]
		if err != nil {
			return file, fault.Invalidf(at+".content_base64", "use the standard alphabet with padding (RFC 4648, section 4)", "is not base64")
		}
	default:
		return file, fault.Invalidf(at, "give content, or content_base64 for bytes that are not text", "has no content")
	}
	return file, nil
}

// decodeOptions takes numbers and booleans as the text that they are written with: {"standard": 20} is {"standard": "20"}.
func decodeOptions(d *jsonReader, req *engine.Request) error {
	return d.object("options", nil, func(name string) error {
		t, err := d.value()
		if err != nil {
			return err
		}
		if req.Options == nil {
			req.Options = make(map[string]string)
		}
		switch t.kind {
		case isNull:
		case isString, isNumber:
			req.Options[name] = string(t.text)
		case isTrue, isFalse:
			req.Options[name] = strconv.FormatBool(t.kind == isTrue)
		default:
			return fault.Invalidf("options."+clip(name), "", "must be a string")
		}
		return nil
	})
}

func decodeBool(d *jsonReader, at string) (bool, error) {
	t, err := d.value()
	if err != nil {
		return false, err
	}
	switch t.kind {
	case isNull, isFalse:
		return false, nil
	case isTrue:
		return true, nil
	default:
		return false, fault.Invalidf(at, "", "must be true or false")
	}
}

func decodeLimits(d *jsonReader, l *engine.LimitOverrides) error {
	return d.object("limits", limitsFields, func(name string) error {
		n, err := d.integer("limits." + name)
		if n == nil || err != nil {
			return err
		}
		switch name {
		case "cpu_time_ms":
			l.CPUTimeMS = n
		case "wall_time_ms":
			l.WallTimeMS = n
		case "memory_bytes":
			l.MemoryBytes = n
		case "stack_bytes":
			l.StackBytes = n
		case "output_bytes":
			l.OutputBytes = n
		case "processes":
			l.Processes, err = toInt("limits.processes", *n)
		case "cpu_percent":
			l.CPUPercent, err = toInt("limits.cpu_percent", *n)
		default:
			err = fmt.Errorf("limits.%s is in the list of names and nowhere else", name)
		}
		return err
	})
}

func toInt(at string, n int64) (*int, error) {
	small := int(n)
	if int64(small) != n {
		return nil, fault.Invalidf(at, "", "is too large")
	}
	return &small, nil
}
