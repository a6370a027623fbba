package world

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/harness"
)

// Metrics is what a manager tells Prometheus, by series as it is written there: name{label="value",...}.
type Metrics map[string]float64

// Scrape reads the metrics of a manager, and their text.
func Scrape(ctx context.Context, m *harness.Manager) (Metrics, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.MetricsURL+"/metrics", http.NoBody)
	if err != nil {
		return nil, "", fmt.Errorf("reading metrics: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, "", fmt.Errorf("reading metrics: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, "", fmt.Errorf("reading metrics: %w", err)
	}
	metrics := Metrics{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		if value, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			metrics[line[:at]] = value
		}
	}
	return metrics, string(text), nil
}

// Sum adds up the series of this name that have all the labels, each written name="value".
func (m Metrics) Sum(name string, labels ...string) (sum float64) {
	for series, value := range m {
		base, rest, _ := strings.Cut(series, "{")
		if base != name {
			continue
		}
		fits := true
		for _, label := range labels {
			fits = fits && strings.Contains(rest, label)
		}
		if fits {
			sum += value
		}
	}
	return sum
}

// APIWrites is how many requests the manager has sent to the API server that write, or try to.
func (m Metrics) APIWrites() (sum float64) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		sum += m.Sum("rest_client_requests_total", `method="`+method+`"`)
	}
	return sum
}

// Queued is how many objects wait in the manager's queues.
func (m Metrics) Queued() float64 { return m.Sum("workqueue_depth") }

// PeakMemory is the most memory, in bytes, that the process has had so far (VmHWM of proc(5); Linux only).
func PeakMemory(pid int) (bytes int64, err error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of a process: %w", err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the memory of a process: %w", err)
			}
			return kilobytes << 10, nil
		}
	}
	return 0, errors.New("reading the memory of a process: no VmHWM")
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// CPUTime is what the process has used of the processors so far (stat of proc(5); Linux only).
func CPUTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the time of a process: %w", err)
	}
	// The name, in parentheses, may have spaces; utime and stime are the 12th and 13th field after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("reading the time of a process: too few fields")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the time of a process: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the time of a process: %w", err)
	}
	return time.Duration(user+system) * tick, nil
}
