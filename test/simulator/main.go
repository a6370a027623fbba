// Command simulator stands in for the clouds of DingTalk and WeCom on loopback: their wire
// protocols, rules and errors, and faults on request; and for an in-house system that is
// told of people by webhooks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"rollcall.dev/rollcall/test/simulator/control"
	"rollcall.dev/rollcall/test/simulator/core"
	"rollcall.dev/rollcall/test/simulator/dingtalk"
	"rollcall.dev/rollcall/test/simulator/webhook"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulator:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	dingtalk, wecom, webhook, control string
	rate                              float64
	unlimited                         bool
	latency                           time.Duration
	logSize                           int
	tenants, tlsDir, ready            string
	history                           string
	allowRemote                       bool
}

// flags declares them, to be parsed into o.
func flags(o *options) *flag.FlagSet {
	f := flag.NewFlagSet("simulator", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run says what is wrong, and help says it all
	f.StringVar(&o.dingtalk, "dingtalk-listen", "127.0.0.1:18201", "address of DingTalk, old and new API; port 0 takes a free one")
	f.StringVar(&o.wecom, "wecom-listen", "127.0.0.1:18202", "address of WeCom")
	f.StringVar(&o.webhook, "webhook-listen", "127.0.0.1:18204", "address of the in-house system that takes webhooks, at /rollcall")
	f.StringVar(&o.control, "control-listen", "127.0.0.1:18203", "address of the control endpoint")
	f.Float64Var(&o.rate, "rate", 0, "calls a second that each platform allows overall, instead of its documented limits")
	f.BoolVar(&o.unlimited, "unlimited", false, "no rate limits, instead of the documented ones")
	f.DurationVar(&o.latency, "latency", 0, "time added to every call of a platform")
	f.IntVar(&o.logSize, "log-size", 200_000, "calls that the log keeps")
	f.StringVar(&o.tenants, "tenants", "", "JSON `file` with a list of more tenants, each as POST /tenants takes it")
	f.StringVar(&o.history, "history", "", "past of the people of all tenants, in days such as 90d: approvals, punches, reports; none by default")
	f.StringVar(&o.tlsDir, "tls-dir", "", "serve the platforms with TLS and write the CA to ca.crt in this `directory`")
	f.StringVar(&o.ready, "ready-file", "", "JSON `file` that is written, with the URLs, when all addresses are served")
	f.BoolVar(&o.allowRemote, "allow-remote", false, "allow addresses that are not loopback: whoever reaches them controls the simulator")
	return f
}

func (o options) validate(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q; -h tells the flags", rest[0])
	}
	if o.rate < 0 || o.unlimited && o.rate > 0 {
		return errors.New("-rate must be above 0 and does not go with -unlimited")
	}
	return nil
}

// run serves until ctx is done.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	f := flags(&o)
	err := f.Parse(args)
	c := core.New(core.Options{LogSize: o.logSize, Latency: o.latency})
	handlers := handlersOf(c)
	if errors.Is(err, flag.ErrHelp) {
		return usage(stdout, f, c)
	}
	if err != nil {
		return fmt.Errorf("%w; -h tells the flags", err)
	}
	if err := o.validate(f.Args()); err != nil {
		return err
	}
	if err := configure(c, o); err != nil {
		return err
	}
	servers, err := listen(ctx, o, handlers)
	if err != nil {
		return err
	}
	return serve(ctx, c, o, servers, stdout)
}

// handlersOf makes what each address serves.
func handlersOf(c *core.Core) map[string]http.Handler {
	doors := webhook.New(webhook.Options{Keys: [][]byte{[]byte(webhook.DemoKey)}})
	receiver, console := http.NewServeMux(), http.NewServeMux()
	receiver.Handle("/rollcall", doors)
	console.Handle("/webhook/", doors.Console())
	console.Handle("/", control.New(c, controlHelp))
	return map[string]http.Handler{"dingtalk": dingtalk.New(c), "wecom": wecom.New(c), "webhook": receiver, "control": console}
}

func configure(c *core.Core, o options) error {
	if o.rate > 0 || o.unlimited {
		limits := core.Limits{OverallPerSecond: o.rate, Unlimited: o.unlimited}
		for _, p := range c.Platforms() {
			if err := c.Limits.Set(p.Name(), limits, true); err != nil {
				return err
			}
		}
	}
	if o.tenants != "" {
		if err := addTenants(c, o.tenants); err != nil {
			return err
		}
	}
	if o.history == "" {
		return nil
	}
	return giveHistory(c, o.history)
}

// server is one address that is listened on.
type server struct {
	name, url string
	listener  net.Listener
	http      *http.Server
}

func listen(ctx context.Context, o options, handlers map[string]http.Handler) ([]server, error) {
	tlsConfig, err := selfSigned(o.tlsDir)
	if err != nil {
		return nil, err
	}
	var servers []server
	closeAll := func() {
		for _, s := range servers {
			_ = s.listener.Close() // nothing was served on it
		}
	}
	for _, at := range []struct{ name, address string }{
		{"dingtalk", o.dingtalk}, {"wecom", o.wecom}, {"webhook", o.webhook}, {"control", o.control},
	} {
		if !o.allowRemote && !isLoopback(at.address) {
			closeAll()
			return nil, fmt.Errorf("%s is not a loopback address; use 127.0.0.1, or -allow-remote", at.address)
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at.address)
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("listening for %s: %w", at.name, err)
		}
		s := server{name: at.name, url: "http://" + l.Addr().String(), listener: l, http: &http.Server{
			Handler: handlers[at.name], ReadHeaderTimeout: 10 * time.Second,
		}}
		if tlsConfig != nil && at.name != "control" {
			s.url, s.http.TLSConfig = "https://"+l.Addr().String(), tlsConfig.Clone() // a server changes its own
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// isLoopback tells whether an address can be reached from this machine only.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func serve(ctx context.Context, c *core.Core, o options, servers []server, stdout io.Writer) error {
	failed := make(chan error, len(servers))
	urls := map[string]string{}
	for _, s := range servers {
		urls[s.name] = s.url
		go func() {
			if s.http.TLSConfig != nil {
				failed <- s.http.ServeTLS(s.listener, "", "")
				return
			}
			failed <- s.http.Serve(s.listener)
		}()
	}
	for _, s := range servers {
		fmt.Fprintf(stdout, "ready %s %s\n", s.name, s.url)
	}
	var err error
	if o.ready != "" {
		err = writeReady(o.ready, urls)
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	c.Faults.Clear() // lets go of calls that hang
	for _, s := range servers {
		_ = s.http.Close() // the process ends; there is nobody to tell
	}
	return err
}
