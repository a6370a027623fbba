package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/peers"
	receiver "rollcall.dev/rollcall/test/simulator/webhook"
)

// The linked systems of a company: a directory that speaks LDAP, an identity provider that speaks SCIM, and doors that
// are told by webhooks. The first two are servers of other people.
const (
	inDirectory = "directory"
	inIDP       = "idp"
	inDoors     = "doors"

	idpToken   = "token-of-the-identity-provider"
	doorKey    = "key-of-the-doors-0123456789abcdefghij"
	password   = "correct horse"
	rd         = "研发部"
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

var everywhere = []string{inDirectory, inIDP, inDoors}

// linkedScene is a company on WeCom with three linked systems.
type linkedScene struct {
	*scene
	slapd *peers.Slapd
	idp   *provider
	doors *receiver.Receiver
}

// setUpLinked makes the company, starts the manager, and waits until so many people have an account in each of the systems.
func setUpLinked(t *testing.T, name string, people int) *linkedScene {
	t.Helper()
	s := &linkedScene{scene: setUp(t, name, []string{world.WeCom}), doors: receiver.New(receiver.Options{Keys: [][]byte{[]byte(doorKey)}})}
	var err error
	s.slapd, err = peers.StartSlapd(s.ctx, t.TempDir(), peers.SlapdOptions{})
	s.must(err)
	t.Cleanup(s.slapd.Kill)
	s.idp = newProvider(s.scene)
	doors := httptest.NewServer(s.doors)
	t.Cleanup(doors.Close)
	s.declare(inDirectory, map[string]string{"bindDN": peers.SlapdOperator, "password": peers.SlapdSecretWord}, v1alpha1.LinkedSystemSpec{
		LDAP: v1alpha1.LDAPSystem{
			Endpoint: "ldap://" + s.slapd.LDAP, PeopleDN: peers.SlapdPeople, DisabledDN: peers.SlapdDisabled, GroupsDN: peers.SlapdGroups,
		},
		CABundle: string(s.slapd.Authority.PEM),
	}, "cn", "sn", "title", "ou")
	s.declare(inIDP, map[string]string{"token": idpToken}, v1alpha1.LinkedSystemSpec{
		SCIM: v1alpha1.SCIMSystem{Endpoint: v1alpha1.Endpoint("http://" + s.idp.address)},
	}, "displayName", "name.familyName", "title", enterprise+":department")
	s.declare(inDoors, map[string]string{"signingKey": doorKey}, v1alpha1.LinkedSystemSpec{
		Webhook: v1alpha1.WebhookSystem{Endpoint: v1alpha1.Endpoint(doors.URL + "/rollcall"), Lookup: v1alpha1.WebhookLookupYes},
	}, "name", "sortedBy", "title", "department")
	s.people(people, linkedEverywhere)
	s.start()
	s.allReady()
	for n := 1; n <= people; n++ {
		s.has(n, seen{world.Title(n), rd, true}, everywhere...)
	}
	return s
}

// silent fails if the manager's log, an event or a status has a secret, or something personal (P12).
func (s *linkedScene) silent() {
	s.Helper()
	log, err := shared.ManagerLog(s.namespace)
	s.must(err)
	outputs := map[string]string{"log": log}
	s.objects(outputs)
	for where, text := range outputs {
		s.quiet(where, text)
		for _, secret := range []string{idpToken, doorKey, peers.SlapdSecretWord} {
			if strings.Contains(text, secret) {
				s.Errorf("P12: a secret of a linked system in the %s", where)
			}
		}
	}
}

// declare applies a LinkedSystem that names, sorts, titles and places people by these attributes.
func (s *linkedScene) declare(name string, secret map[string]string, spec v1alpha1.LinkedSystemSpec, named, sorted, titled, placed string) {
	s.Helper()
	meta := metav1.ObjectMeta{Namespace: s.namespace, Name: name}
	spec.CredentialsSecretRef.Name = name + "-credentials"
	spec.OnJoin, spec.ResyncIntervalSeconds, spec.RateLimit.RequestsPerSecond = v1alpha1.OnJoinProvision, 5, 100
	spec.Attributes = []v1alpha1.MappedAttribute{
		{Name: named, Value: "employee.name"}, {Name: sorted, Value: "employee.name.substring(0, 1)"},
		{Name: titled, Value: "employee.title"}, {Name: placed, Value: "employee.primaryDepartment.displayName"},
	}
	s.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: spec.CredentialsSecretRef.Name}, StringData: secret},
		&v1alpha1.LinkedSystem{ObjectMeta: meta, Spec: spec})
}

func linkedEverywhere(e *v1alpha1.Employee) {
	for _, name := range everywhere {
		e.Spec.LinkedAccounts = append(e.Spec.LinkedAccounts, v1alpha1.LinkedAccount{Name: name})
	}
}

// in is the person in one linked system.
func in(e *v1alpha1.Employee, system string) v1alpha1.LinkedAccountStatus {
	i := slices.IndexFunc(e.Status.LinkedAccounts, func(l v1alpha1.LinkedAccountStatus) bool { return l.Name == system })
	if i < 0 {
		return v1alpha1.LinkedAccountStatus{}
	}
	return e.Status.LinkedAccounts[i]
}

// reports waits until the n-th person is said to be as declared, in this state, in the systems.
func (s *linkedScene) reports(n int, state v1alpha1.LinkedState, systems ...string) {
	s.Helper()
	s.eventually(fmt.Sprintf("person %d is %s in %q", n, state, systems), func() error {
		e := s.employee(n)
		for _, name := range systems {
			l := in(e, name)
			if l.ObservedGeneration == nil || *l.ObservedGeneration != e.Generation || l.State != state || l.Reason != "" {
				return fmt.Errorf("in %s it is %q of generation %v: %s %s", name, l.State, l.ObservedGeneration, l.Reason, l.Message)
			}
		}
		return nil
	})
}

// seen is an account as the system itself has it.
type seen struct {
	Title, Department string
	Enabled           bool // in the directory: whoever has the password can sign in
}

// has fails unless the systems themselves, here and now, have the n-th person's account like this.
func (s *linkedScene) has(n int, want seen, systems ...string) {
	s.Helper()
	for _, name := range systems {
		got, err := map[string]func(string) ([]seen, error){inDirectory: s.directory, inIDP: s.idp.accounts, inDoors: s.atTheDoors}[name](world.Number(n))
		if err != nil || !slices.Equal(got, []seen{want}) {
			s.Errorf("%s has %+v of person %d, want %+v: %v", name, got, n, want, err)
		}
	}
}

// directory reads an entry. Somebody who has no password yet gets one, as a new colleague would: that unlocks, too, so it
// has to be before a freeze.
func (s *linkedScene) directory(login string) ([]seen, error) {
	dn := "uid=" + login + "," + peers.SlapdPeople
	values := map[string]string{}
	for _, name := range []string{"title", "ou", "userPassword"} {
		found, err := s.slapd.Get(dn, name)
		if err != nil || found == nil {
			return nil, err
		}
		values[name] = strings.Join(found, ", ")
	}
	if values["userPassword"] == "" {
		if err := s.slapd.Set(dn, "userPassword", password); err != nil {
			return nil, err
		}
	}
	can, err := s.slapd.SignsIn(dn, password)
	return []seen{{values["title"], values["ou"], can}}, err
}

func (s *linkedScene) atTheDoors(login string) (found []seen, err error) {
	for _, a := range s.doors.Accounts() {
		if a.Login == login {
			found = append(found, seen{strings.Join(a.Attributes["title"], ", "), strings.Join(a.Attributes["department"], ", "), a.Enabled})
		}
	}
	return found, nil
}

// provider is a SCIM server of other people that can be taken down, and that can turn hostile.
type provider struct {
	*scene
	address string
	real    http.Handler
	server  *http.Server
	hostile atomic.Bool
	pages   atomic.Int64 // of an endless listing
	drips   atomic.Int64 // answers that never end
	given   atomic.Int64 // up among them
}

func newProvider(s *scene) *provider {
	s.Helper()
	handler, err := peers.Elimity(peers.ElimityOptions{Token: idpToken})
	s.must(err)
	p := &provider{scene: s, real: handler, address: "127.0.0.1:0"}
	p.up()
	s.Cleanup(p.down)
	return p
}

// up has it listen, at the address that it had.
func (p *provider) up() {
	p.Helper()
	var l net.Listener
	p.eventually("the SCIM server listens", func() (err error) {
		l, err = (&net.ListenConfig{}).Listen(p.ctx, "tcp", p.address)
		return err
	})
	p.address = l.Addr().String()
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func(server *http.Server) { _ = server.Serve(l) }(p.server) // always an error: that it was closed
}

// down cuts all connections and takes no more.
func (p *provider) down() { _ = p.server.Close() }

// turn makes it hostile, or heals it: what drips then is cut.
func (p *provider) turn(hostile bool) {
	p.Helper()
	p.hostile.Store(hostile)
	p.down()
	p.up()
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !p.hostile.Load():
		p.real.ServeHTTP(w, r)
	case strings.HasSuffix(r.URL.Path, "/Users") && r.Method == http.MethodGet && r.URL.Query().Get("filter") == "":
		p.endless(w, r)
	default:
		p.drip(w, r)
	}
}

// endless answers with a page of strangers, more than were asked for, whatever page is asked for. It says of itself that there
// is an end, as far off as is still believed.
func (p *provider) endless(w http.ResponseWriter, r *http.Request) {
	p.pages.Add(1)
	start, _ := strconv.Atoi(r.URL.Query().Get("startIndex")) // 0 does as well
	var strangers []string
	for i := range 250 {
		strangers = append(strangers, fmt.Sprintf(
			`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"x-%[1]d","userName":"stranger-%[1]d","active":true}`, start+i))
	}
	w.Header().Set("Content-Type", "application/scim+json")
	_, _ = fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":200000,"Resources":[%s]}`, strings.Join(strangers, ","))
}

// drip answers a byte at a time for as long as somebody listens.
func (p *provider) drip(w http.ResponseWriter, r *http.Request) {
	p.drips.Add(1)
	defer p.given.Add(1)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// accounts with the login, read past whatever is the matter with the server.
func (p *provider) accounts(login string) (found []seen, err error) {
	r := httptest.NewRequestWithContext(context.WithoutCancel(p.ctx), http.MethodGet, "/Users?filter="+url.QueryEscape(fmt.Sprintf("userName eq %q", login)), nil)
	r.Header.Set("Authorization", "Bearer "+idpToken)
	w := httptest.NewRecorder()
	p.real.ServeHTTP(w, r)
	var list struct{ Resources []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
		return nil, fmt.Errorf("status %d: %w", w.Code, err)
	}
	for _, a := range list.Resources {
		title, _ := a["title"].(string)
		extension, _ := a[enterprise].(map[string]any)
		in, _ := extension["department"].(string)
		active, ok := a["active"].(bool)
		if !ok {
			return nil, fmt.Errorf("active is none of %q", slices.Collect(maps.Keys(a)))
		}
		found = append(found, seen{title, in, active})
	}
	return found, nil
}
