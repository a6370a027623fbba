package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// SimulatorOptions of StartSimulator. An address that is empty becomes a free port on 127.0.0.1.
type SimulatorOptions struct {
	// Path of the program; when empty, bin/simulator.
	Path                              string
	DingTalk, WeCom, Webhook, Control string
	Args                              []string
	LogDir                            string
}

// Simulator is a running simulator of the platforms.
type Simulator struct {
	*Process
	// DingTalkURL and WeComURL are the endpoints of the platforms; WebhookURL is that of the in-house system; ControlURL takes
	// faults and shows state.
	DingTalkURL, WeComURL, WebhookURL, ControlURL string
}

// StartSimulator starts the simulator and waits until it answers.
func StartSimulator(ctx context.Context, o SimulatorOptions) (*Simulator, error) {
	path := o.Path
	if path == "" {
		var err error
		if path, err = repoBinary("simulator", "build"); err != nil {
			return nil, err
		}
	}
	if err := fillAddresses(ctx, &o.DingTalk, &o.WeCom, &o.Webhook, &o.Control); err != nil {
		return nil, err
	}
	for _, a := range []struct{ name, address string }{{"DingTalk", o.DingTalk}, {"WeCom", o.WeCom}, {"webhook", o.Webhook}, {"control", o.Control}} {
		if err := portFree(ctx, a.address); err != nil {
			return nil, fmt.Errorf("starting the simulator: its %s address is taken, stop the program that uses it: %w", a.name, err)
		}
	}
	args := append([]string{
		"--dingtalk-listen=" + o.DingTalk, "--wecom-listen=" + o.WeCom, "--webhook-listen=" + o.Webhook, "--control-listen=" + o.Control,
	}, o.Args...)
	process, err := Start(Command{Name: "simulator", Path: path, Args: args, LogDir: o.LogDir})
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		Process: process, DingTalkURL: "http://" + o.DingTalk, WeComURL: "http://" + o.WeCom, WebhookURL: "http://" + o.Webhook + "/rollcall",
		ControlURL: "http://" + o.Control,
	}
	for _, url := range []string{s.DingTalkURL, s.WeComURL, s.WebhookURL, s.ControlURL} {
		if err := process.awaitReady(ctx, reachable(url)); err != nil {
			process.Stop()
			return nil, fmt.Errorf("starting the simulator: %w", err)
		}
	}
	return s, nil
}

// ManagerOptions of StartManager.
type ManagerOptions struct {
	// Path of the program; when empty, bin/rollcall.
	Path       string
	Kubeconfig string
	// Namespaces it manages.
	Namespaces []string
	Args       []string
	Env        []string
	LogDir     string
	// Name of the process and its log; when empty, "manager".
	Name string
}

// Manager is a running manager of ours.
type Manager struct {
	*Process
	// MetricsURL and HealthURL are the bases of /metrics, and of /healthz and /readyz.
	MetricsURL, HealthURL string
}

// StartManager starts the manager without leader election, and waits until its probes answer: its controllers may still
// be reading.
func StartManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	m, err := startManager(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := m.AwaitReady(ctx); err != nil {
		m.Stop()
		return nil, fmt.Errorf("starting the manager: %w", err)
	}
	return m, nil
}

func startManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	path := o.Path
	if path == "" {
		var err error
		if path, err = repoBinary("rollcall", "build"); err != nil {
			return nil, err
		}
	}
	if o.Name == "" {
		o.Name = "manager"
	}
	var metrics, health string
	if err := fillAddresses(ctx, &metrics, &health); err != nil {
		return nil, err
	}
	args := append([]string{
		"--metrics-bind-address=" + metrics,
		"--metrics-secure=false", // on loopback only
		"--health-probe-bind-address=" + health,
		"--leader-elect=false",
		"--namespaces=" + strings.Join(o.Namespaces, ","),
	}, o.Args...)
	process, err := Start(Command{
		Name: o.Name, Path: path, Args: args, Env: append([]string{"KUBECONFIG=" + o.Kubeconfig}, o.Env...), LogDir: o.LogDir,
	})
	if err != nil {
		return nil, err
	}
	return &Manager{Process: process, MetricsURL: "http://" + metrics, HealthURL: "http://" + health}, nil
}

// AwaitReady waits until the manager says that it is ready, and serves its metrics.
func (m *Manager) AwaitReady(ctx context.Context) error {
	if err := m.awaitReady(ctx, answers(http.DefaultClient, m.HealthURL+"/readyz")); err != nil {
		return err
	}
	return m.awaitReady(ctx, reachable(m.MetricsURL))
}

// fillAddresses puts a free address on 127.0.0.1 wherever there is none yet.
func fillAddresses(ctx context.Context, addresses ...*string) error {
	ports, err := freePorts(ctx, len(addresses))
	if err != nil {
		return err
	}
	for i, address := range addresses {
		if *address == "" {
			*address = loopback(ports[i])
		}
	}
	return nil
}

// answers is a readiness check: a GET of the URL is answered with 200.
func answers(client *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		status, err := get(ctx, client, url)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("GET %s: status %d", url, status)
		}
		return err
	}
}

// reachable is a readiness check: a GET of the URL is answered, no matter how.
func reachable(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, url)
		return err
	}
}

func get(ctx context.Context, client *http.Client, url string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	reply, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = reply.Body.Close() }()
	_, err = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode, err
}
