package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of an answer; the programs print nothing.
const maxAnswer = 1 << 20

// HTTP runs one program again and again by POST /v1/run. It keeps connections open. Safe for concurrent use.
type HTTP struct {
	url    string
	body   []byte
	client *http.Client
}

// NewHTTP makes the client of a server, as in "http://127.0.0.1:8080", for a program of the language exe, and for up to
// callers at a time.
func NewHTTP(server string, program []byte, callers int) (*HTTP, error) {
	type file struct {
		Name    string `json:"name"`
		Content []byte `json:"content_base64"`
	}
	body, err := json.Marshal(map[string]any{"language": "exe", "files": []file{{"program", program}}})
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true, IdleConnTimeout: time.Minute}
	return &HTTP{url: server + "/v1/run", body: body, client: &http.Client{Transport: transport}}, nil
}

// Run runs the program once. Anything but an orderly end with exit code 0 is an error.
func (h *HTTP) Run(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(h.body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	var result struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(text, &result); err != nil || answer.StatusCode != http.StatusOK || result.Status != "ok" {
		return fmt.Errorf("the server answered %s: %.300s", answer.Status, text)
	}
	return nil
}

// Close closes the connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }
