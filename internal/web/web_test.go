package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The page that is in the repository: every file that it names is there and nothing in it is inline.
func TestEmbeddedPage(t *testing.T) {
	t.Parallel()
	h, err := Handler()
	if err != nil {
		t.Fatal(err)
	}
	r := get(t, h, "/")
	page := text(t, r)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" || r.Header.Get("Cache-Control") != revalidate {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 3 {
		t.Errorf("links %v", links)
	}
	for _, link := range links {
		if r := get(t, h, link[1]); r.StatusCode != 200 || r.Header.Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", link[1], r.StatusCode, r.Header)
		}
	}
	for _, inline := range []string{"<style", "style=", "onclick", "https://", "<script>"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page holds %q", inline)
		}
	}
	if strings.Contains(r.Header.Get("Content-Security-Policy"), "unsafe") {
		t.Error("the policy allows unsafe sources")
	}
}

func TestEmbeddedPageIsSmall(t *testing.T) {
	t.Parallel()
	total := 0
	entries, err := dist.ReadDir("dist/assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += int(info.Size())
	}
	if total == 0 || total > 250_000 {
		t.Errorf("the page has %d bytes", total)
	}
}

func page(script string) fstest.MapFS {
	return fstest.MapFS{
		"dist/index.html":               {Data: []byte("<p>page</p>")},
		"dist/assets/index-abcdefgh.js": {Data: []byte(script)},
		"dist/assets/icon.svg":          {Data: []byte("<svg/>")},
	}
}

func TestCachingAndCompression(t *testing.T) {
	t.Parallel()
	script := strings.Repeat("run();", 100)
	h, err := newHandler(page(script))
	if err != nil {
		t.Fatal(err)
	}
	const name = "/assets/index-abcdefgh.js"
	plain := get(t, h, name)
	if text(t, plain) != script || plain.Header.Get("Cache-Control") != forever || plain.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v", plain.Header)
	}
	zipped := get(t, h, name, "Accept-Encoding: br, gzip;q=0.5")
	reader, err := gzip.NewReader(bytes.NewReader([]byte(text(t, zipped))))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); err != nil || string(got) != script {
		t.Errorf("unzipped %q, %v", got, err)
	}
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") || zipped.Header.Get("Vary") != "Accept-Encoding" {
		t.Error("one tag for two bodies")
	}
	for header, status := range map[string]int{
		plain.Header.Get("ETag"): 304, `W/` + plain.Header.Get("ETag"): 304, `"x", ` + plain.Header.Get("ETag"): 304, "*": 304, `"x"`: 200,
		zipped.Header.Get("ETag"): 200,
	} {
		if r := get(t, h, name, "If-None-Match: "+header); r.StatusCode != status {
			t.Errorf("If-None-Match %s: %d", header, r.StatusCode)
		}
	}
	if r := get(t, h, name, "Accept-Encoding: gzip;q=0"); r.Header.Get("Content-Encoding") != "" {
		t.Error("zipped although refused")
	}
	if r := get(t, h, "/assets/icon.svg"); r.Header.Get("Cache-Control") != revalidate {
		t.Errorf("icon: %v", r.Header)
	}
	for _, path := range []string{"/index.html", "/assets/", "/assets/none.js", "/../web.go"} {
		if r := get(t, h, path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestMissingPageIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := newHandler(fstest.MapFS{"dist/assets/a.js": {Data: []byte("x")}}); err == nil {
		t.Error("no error")
	}
}
