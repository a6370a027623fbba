// Command rollcall is the manager: it keeps people's accounts on IM platforms
// equal to what is declared.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
	_ "time/tzdata" // schedules have time zones; the image has none

	"github.com/go-logr/logr"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/controllers"
	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/httpx"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/linkers"
	rollcallmetrics "rollcall.dev/rollcall/internal/metrics"
	"rollcall.dev/rollcall/internal/provider"
	"rollcall.dev/rollcall/test/simulator/dingtalk"
	"rollcall.dev/rollcall/test/simulator/wecom"
)

type options struct {
	metricsAddress  string
	metricsSecure   bool
	probeAddress    string
	namespaces      string
	leaderElect     bool
	leaseNamespace  string
	qps             float64
	roleBinding     string
	auditDirectory  string
	backupDirectory string
	unchecked       bool
}

func main() {
	var o options
	flag.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "address to serve metrics on, e.g. :8443; 0 turns them off")
	flag.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve metrics over TLS, to callers whom the API server lets read /metrics")
	flag.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "address to serve /healthz and /readyz on; 0 turns them off")
	flag.StringVar(&o.namespaces, "namespaces", "", "namespaces to manage, separated by commas: one is one company; empty is all, which needs cluster-wide rights")
	flag.BoolVar(&o.leaderElect, "leader-elect", true, "let only one of several replicas work")
	flag.StringVar(&o.leaseNamespace, "leader-election-namespace", "", "namespace of the Lease; empty is the pod's own")
	flag.StringVar(&o.roleBinding, "role-binding", "rollcall-manager", "name of the RoleBinding that gives the manager its rights in each company: it is kept until a company that is deleted is empty; empty if the rights come otherwise")
	flag.StringVar(&o.auditDirectory, "audit-directory", "", "folder on a durable volume for the audit trails, one below it for each EnterpriseAccount; empty keeps no records")
	flag.StringVar(&o.backupDirectory, "backup-directory", "", "folder on a durable volume for BackupStorages with a local location; empty if there is none")
	flag.BoolVar(&o.unchecked, "unchecked-approvals", false, "act on the decisions of Approvals although the policies of config/policy do not check who decided; for trials only")
	flag.Float64Var(&o.qps, "kube-api-qps", 400, "most requests a second to the API server; its priority and fairness guards it too")
	var level slog.Level
	flag.TextVar(&level, "log-level", slog.LevelInfo, "least level to log: DEBUG, INFO, WARN or ERROR")
	flag.Parse()
	if os.Getenv("GOGC") == "" {
		// Listings and backups leave much garbage behind. Go's default of 100 lets a manager of
		// 50,000 people grow by a tenth more, and saves no time that was ever measured.
		debug.SetGCPercent(50)
	}
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		fmt.Fprintln(os.Stderr, "rollcall:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	observed := rollcallmetrics.New(metrics.Registry, time.Now)
	var trail func(types.NamespacedName) (*audit.Log, error)
	if o.auditDirectory != "" {
		trail = func(account types.NamespacedName) (*audit.Log, error) {
			folder := audit.NewFolder(filepath.Join(o.auditDirectory, account.Namespace, account.Name))
			return audit.New(folder, time.Now), nil
		}
	}
	err = controllers.Setup(ctx, mgr, controllers.Dependencies{
		Platforms: provider.All(),
		Linkers:   linkers.All(),
		Now:       time.Now,
		Metrics:   observed,
		Version:   version(),

		RoleBinding: o.roleBinding,
		Trail:       trail,

		BackupDirectory: o.backupDirectory,
		RestoreTest:     controllers.RestoreInto(scratch),

		UncheckedApprovals: o.unchecked,
	})
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// version is what this program was built from: a tag, or a commit's pseudo-version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

func newManager(config *rest.Config, o options) (manager.Manager, error) {
	config.QPS, config.Burst = float32(o.qps), int(o.qps)*2
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	server := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: o.metricsSecure}
	if o.metricsSecure {
		server.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       server,
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "rollcall.dev",
		LeaderElectionNamespace:       o.leaseNamespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cacheOptions(o),
		Client:                        client.Options{Cache: &client.CacheOptions{Unstructured: false}},
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	for name, add := range map[string]func(string, healthz.Checker) error{"healthz": mgr.AddHealthzCheck, "readyz": mgr.AddReadyzCheck} {
		if err := add(name, healthz.Ping); err != nil {
			return nil, fmt.Errorf("adding the probe %s: %w", name, err)
		}
	}
	return mgr, nil
}

// fieldManager is what the API server calls our own writes by default: the
// program's name in the user agent.
var fieldManager, _, _ = strings.Cut(rest.DefaultKubernetesUserAgent(), "/")

// cacheOptions limits the cache to the namespaces, and drops what nobody reads.
func cacheOptions(o options) cache.Options {
	c := cache.Options{
		DefaultTransform: kube.KeepAuthor(fieldManager),
		ByObject: map[client.Object]cache.ByObject{
			&rbacv1.RoleBinding{}: {Field: fields.OneTermEqualSelector("metadata.name", o.roleBinding)},
		},
	}
	for n := range strings.SplitSeq(o.namespaces, ",") {
		if n = strings.TrimSpace(n); n != "" {
			if c.DefaultNamespaces == nil {
				c.DefaultNamespaces = map[string]cache.Config{}
			}
			c.DefaultNamespaces[n] = cache.Config{}
		}
	}
	return c
}

// scratch makes an empty company in memory, reached without a socket, through the
// provider that archives of the platform were exported with.
func scratch(ctx context.Context, platform string) (directory.Directory, error) {
	const company, secret, other, agent = "scratchcompany", "scratch-secret", "scratch-sync-secret", 1
	settings := directory.Settings{
		Tenant: company, Endpoint: "http://127.0.0.1", LegacyEndpoint: "http://127.0.0.1", NumberAttribute: "工号",
		Secrets:   map[string][]byte{"appKey": []byte(company), "appSecret": []byte(secret), "syncSecret": []byte(other)},
		Throttled: func(string, time.Duration) {}, Now: time.Now,
	}
	var handler http.Handler
	switch platform {
	case "DingTalk":
		handler = dingtalk.Scratch(company, company, secret, agent)
	case "WeCom":
		handler = wecom.Scratch(company, other, secret, agent)
	}
	settings.HTTP = &http.Client{Transport: httpx.InMemory(handler)}
	for _, d := range provider.All() {
		if d.Platform != platform || handler == nil {
			continue
		}
		made, err := d.New(settings)
		if err != nil {
			return nil, err
		}
		// A company that lists nobody is not believed (P5): it has a founder, whose number is nobody's.
		founder := directory.Profile{
			Set:  directory.FieldName | directory.FieldMobile | directory.FieldDepartments,
			Name: "founder", Mobile: "+86-13800000000", Memberships: []directory.Membership{{Department: made.Capabilities().RootDepartment}},
		}
		_, err = made.CreateAccount(ctx, "scratch-founder", directory.Ordinary, founder)
		return made, err
	}
	return nil, fmt.Errorf("there is no scratch company of the platform %q", platform)
}
