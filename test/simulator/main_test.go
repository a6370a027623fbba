package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.dev/rollcall/test/simulator/webhook"
)

// program is the simulator, running in this process.
type program struct {
	urls map[string]string
	stop context.CancelFunc
	done chan error
}

func begin(t *testing.T, args ...string) program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	p := program{urls: map[string]string{}, stop: cancel, done: make(chan error, 1)}
	go func() {
		err := run(ctx, append([]string{"-dingtalk-listen=127.0.0.1:0", "-wecom-listen=127.0.0.1:0", "-webhook-listen=127.0.0.1:0", "-control-listen=127.0.0.1:0"}, args...), w)
		p.done <- err
		_ = w.CloseWithError(errors.Join(err, io.EOF))
	}()
	t.Cleanup(cancel)
	lines := bufio.NewScanner(r)
	for len(p.urls) < 4 {
		if !lines.Scan() {
			t.Fatalf("it ended before it was ready: %v", <-p.done)
		}
		word := strings.Fields(lines.Text())
		if len(word) != 3 || word[0] != "ready" {
			t.Fatalf("it says %q", lines.Text())
		}
		p.urls[word[1]] = word[2]
	}
	return p
}

func (p program) end(t *testing.T) {
	t.Helper()
	p.stop()
	if err := <-p.done; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const wecomToken = "/cgi-bin/gettoken?corpid=wwacme000000000000&corpsecret=acme-sync-secret-not-a-real-one"

func TestServes(t *testing.T) {
	dir := t.TempDir()
	tenants := filepath.Join(dir, "tenants.json")
	if err := os.WriteFile(tenants, []byte(`[{"platform":"wecom","name":"initech","corpId":"wwinitech","syncSecret":"x"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := begin(t, "-tenants="+tenants, "-rate=3", "-latency=1ms")
	if status, text := get(t, http.DefaultClient, p.urls["control"]+"/healthz"); status != 200 || text != "ok\n" {
		t.Errorf("health: %d %s", status, text)
	}
	if _, text := get(t, http.DefaultClient, p.urls["control"]+"/tenants"); !strings.Contains(text, "initech") || !strings.Contains(text, `"dingtalk"`) {
		t.Errorf("tenants: %s", text)
	}
	if _, text := get(t, http.DefaultClient, p.urls["control"]+"/limits"); strings.Count(text, `"calls":3`) != 2 {
		t.Errorf("limits: %s", text)
	}
	if _, text := get(t, http.DefaultClient, p.urls["wecom"]+wecomToken); !strings.Contains(text, `"errcode":0`) {
		t.Errorf("WeCom: %s", text)
	}
	if status, _ := get(t, http.DefaultClient, p.urls["dingtalk"]+"/gettoken"); status != 200 {
		t.Errorf("DingTalk: %d", status)
	}
	p.end(t)
	for name, url := range p.urls {
		if c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://")); err == nil {
			_ = c.Close()
			t.Errorf("%s is still served", name)
		}
	}
}

func TestServesTLS(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready.json")
	p := begin(t, "-tls-dir="+dir, "-ready-file="+ready, "-unlimited")
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("ca.crt holds no certificate")
	}
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	if _, text := get(t, trusting, p.urls["wecom"]+wecomToken); !strings.Contains(text, `"errcode":0`) {
		t.Errorf("WeCom: %s", text)
	}
	if !strings.HasPrefix(p.urls["dingtalk"], "https://") || !strings.HasPrefix(p.urls["control"], "http://") {
		t.Errorf("URLs: %v", p.urls)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.urls["wecom"], http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		_ = response.Body.Close()
		t.Error("a client without the CA was content")
	}
	p.end(t)
	raw, err := os.ReadFile(ready)
	if err != nil {
		t.Fatal(err)
	}
	var urls map[string]string
	if err := json.Unmarshal(raw, &urls); err != nil || urls["wecom"] != p.urls["wecom"] || len(urls) != 4 {
		t.Errorf("ready file: %s, %v", raw, err)
	}
}

// Whoever runs the simulator can look at the in-house system, change it by hand, and take it down.
func TestServesAnInHouseSystem(t *testing.T) {
	p := begin(t)
	console := p.urls["control"] + "/webhook"
	event := func(id, body string) int {
		t.Helper()
		sent := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(webhook.DemoKey))
		mac.Write([]byte(id + "." + sent + "." + body))
		status, _ := send(t, http.MethodPost, p.urls["webhook"]+"/rollcall", body, map[string]string{
			"webhook-id": id, "webhook-timestamp": sent, "webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		})
		return status
	}
	create := `{"version":"v1","type":"account.provision","key":"k1","data":{"login":"lin.xiao","number":"E1","attributes":{"name":["林晓"]}}}`
	if status := event("k1", create); status != http.StatusOK {
		t.Fatalf("a provision: %d", status)
	}
	const made = `{"id":"acc-0001","login":"lin.xiao","number":"E1","state":"Enabled","attributes":{"name":["林晓"]}}`
	if _, text := get(t, http.DefaultClient, console+"/accounts"); text != "["+made+"]\n" {
		t.Errorf("accounts: %s", text)
	}
	for _, edit := range []struct {
		method, body, want string
		status             int
	}{
		{http.MethodPost, `{"enabled":false,"sessions":2}`, strings.Replace(made, `"Enabled"`, `"Disabled","sessions":2`, 1) + "\n", http.StatusOK},
		{http.MethodPost, `{"active":true}`, "", http.StatusBadRequest},
		{http.MethodDelete, "", "", http.StatusOK},
		{http.MethodDelete, "", "", http.StatusNotFound},
	} {
		if status, text := send(t, edit.method, console+"/accounts/acc-0001", edit.body, nil); status != edit.status || edit.want != "" && text != edit.want {
			t.Errorf("%s %s: %d %s", edit.method, edit.body, status, text)
		}
	}
	for method, want := range map[string]int{http.MethodPut: http.StatusServiceUnavailable, http.MethodDelete: http.StatusOK} {
		send(t, method, console+"/down", "", nil)
		if status := event("check-"+method, `{"version":"v1","type":"system.check","key":"check-`+method+`","data":{}}`); status != want {
			t.Errorf("after %s of down: %d", method, status)
		}
	}
	p.end(t)
}

func send(t *testing.T, method, url, body string, header map[string]string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestRefusesToStart(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`[{"platform":"wecom"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	free := []string{"-dingtalk-listen=127.0.0.1:0", "-wecom-listen=127.0.0.1:0", "-webhook-listen=127.0.0.1:0", "-control-listen=127.0.0.1:0"}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":   {[]string{"-wat"}, "-h tells"},
		"argument":       {[]string{"wat"}, "unexpected argument"},
		"two limits":     {[]string{"-rate=1", "-unlimited"}, "-unlimited"},
		"not loopback":   {[]string{"-wecom-listen=0.0.0.0:0"}, "-allow-remote"},
		"every address":  {[]string{"-control-listen=:0"}, "-allow-remote"},
		"other machine":  {[]string{"-control-listen=192.0.2.1:0"}, "-allow-remote"},
		"no port":        {[]string{"-control-listen=127.0.0.1"}, "-allow-remote"},
		"taken":          {[]string{"-wecom-listen=" + taken.Addr().String()}, "listening for wecom"},
		"no tenants":     {[]string{"-tenants=/nowhere.json"}, "reading the tenants"},
		"bad tenants":    {[]string{"-tenants=" + bad}, "adding tenant 1"},
		"tls dir a file": {[]string{"-tls-dir=" + bad}, "writing the CA"},
		"no ready file":  {[]string{"-ready-file=/nowhere/ready"}, "writing the ready file"},
	} {
		err := run(t.Context(), append(free[:len(free):len(free)], tt.args...), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-h"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"-dingtalk-listen", "-allow-remote", "wwacme000000000000", "acme-app-secret-not-a-real-one", "1000002", "appSecret", "dropAfter", "curl", "signingKey",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not tell %q", want)
		}
	}
}
