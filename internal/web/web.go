// Package web serves the built page (web/ in the repository): static files that are embedded into the binary, with cache
// headers, compression and a Content-Security-Policy. It knows nothing of the API that the page calls.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed dist
var dist embed.FS

// policy allows the page's own files and calls, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// The page itself is asked for anew each time; what a build names by its content never changes.
const (
	revalidate = "no-cache"
	forever    = "public, max-age=31536000, immutable"
)

// file is one embedded file, ready to be sent.
type file struct {
	plain, zipped []byte // zipped is nil when it would not be smaller
	kind          string
	cache         string
	tag           string
}

// Handler serves the page at "/" and its files below "/assets/". It answers other paths with 404.
func Handler() (http.Handler, error) {
	return newHandler(dist)
}

func newHandler(fsys fs.FS) (http.Handler, error) {
	files := make(map[string]*file)
	err := fs.WalkDir(fsys, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		url := strings.TrimPrefix(name, "dist")
		f, err := newFile(url, data)
		files[url] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded page: %w", err)
	}
	if files["/index.html"] == nil {
		return nil, fmt.Errorf("read the embedded page: dist/index.html is missing")
	}
	files["/"] = files["/index.html"]
	delete(files, "/index.html")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := files[r.URL.Path]
		if f == nil {
			http.NotFound(w, r)
			return
		}
		f.send(w, r)
	}), nil
}

func newFile(url string, data []byte) (*file, error) {
	sum := sha256.Sum256(data)
	f := &file{plain: data, cache: revalidate, tag: hex.EncodeToString(sum[:12]), kind: mime.TypeByExtension(path.Ext(url))}
	if hashed(url) {
		f.cache = forever
	}
	// The table of the host may lack these.
	switch path.Ext(url) {
	case ".html":
		f.kind = "text/html; charset=utf-8"
	case ".js":
		f.kind = "text/javascript; charset=utf-8"
	case ".css":
		f.kind = "text/css; charset=utf-8"
	case ".svg":
		f.kind = "image/svg+xml"
	}
	var buffer bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zip.Write(data); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	if buffer.Len() < len(data) {
		f.zipped = bytes.Clone(buffer.Bytes())
	}
	return f, nil
}

// hashed reports whether the build put a hash of the content into the name, as in "/assets/index-CFlcRgN1.css".
func hashed(url string) bool {
	base := strings.TrimSuffix(path.Base(url), path.Ext(url))
	i := len(base) - 9
	return i > 0 && base[i] == '-'
}

func (f *file) send(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", f.cache)
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Vary", "Accept-Encoding")
	body, tag := f.plain, `"`+f.tag+`"`
	if f.zipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body, tag = f.zipped, `"`+f.tag+`-gz"`
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // an error means that the client went away
	}
}

// acceptsGzip reads an Accept-Encoding header; "gzip;q=0" refuses.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return !given || err == nil && value > 0
	}
	return false
}

// matches reports whether an If-None-Match header names the tag.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == tag {
			return true
		}
	}
	return false
}
