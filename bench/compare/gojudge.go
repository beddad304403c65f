package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// prepareGoJudge uploads the program once and then runs it by its id, with limits like those of assay's defaults and both
// streams collected.
func prepareGoJudge(ctx context.Context, o options, s scratch, c *contender) error {
	if o.goJudge == "" {
		return errors.New("GO_JUDGE_URL is not set")
	}
	base := strings.TrimSuffix(o.goJudge, "/")
	transport := &http.Transport{MaxIdleConnsPerHost: o.callers, DisableCompression: true}
	j := goJudge{base: base, client: &http.Client{Transport: transport, Timeout: time.Minute}}
	id, err := j.upload(ctx, s.elf)
	if err != nil {
		return fmt.Errorf("uploading the program to %s: %w", base, err)
	}
	c.close = func() error {
		defer transport.CloseIdleConnections()
		_, err := j.send(context.WithoutCancel(ctx), http.MethodDelete, "/file/"+id, "", nil)
		return err
	}
	type object = map[string]any
	body, err := json.Marshal(object{"cmd": []object{{
		"args": []string{"tiny"}, "env": []string{"PATH=/usr/bin:/bin"},
		"files": []object{
			{"content": ""}, {"name": "stdout", "max": 1 << 20}, {"name": "stderr", "max": 1 << 20},
		},
		"cpuLimit": 10 * time.Second, "clockLimit": 25 * time.Second, "memoryLimit": 256 << 20, "procLimit": 64,
		"copyIn": object{"tiny": object{"fileId": id}},
	}}})
	if err != nil {
		return fmt.Errorf("writing the request: %w", err)
	}
	c.run = func(ctx context.Context) error {
		text, err := j.send(ctx, http.MethodPost, "/run", "application/json", body)
		if err != nil {
			return err
		}
		var results []struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(text, &results); err != nil || len(results) != 1 || results[0].Status != "Accepted" {
			return fmt.Errorf("it answered %.300s", text)
		}
		return nil
	}
	return nil
}

// goJudge is a client of the REST interface.
type goJudge struct {
	base   string
	client *http.Client
}

// upload puts a file in the store and gives its id.
func (j goJudge) upload(ctx context.Context, data []byte) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "tiny")
	if err != nil {
		return "", err
	}
	if _, err := part.Write(data); err != nil {
		return "", err
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	text, err := j.send(ctx, http.MethodPost, "/file", form.FormDataContentType(), body.Bytes())
	if err != nil {
		return "", err
	}
	var id string
	if err := json.Unmarshal(text, &id); err != nil || id == "" {
		return "", fmt.Errorf("it answered %.300s", text)
	}
	return id, nil
}

func (j goJudge) send(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, j.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	answer, err := j.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("it answered %s: %.300s", answer.Status, text)
	}
	return text, nil
}
