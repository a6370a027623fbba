package crash

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/e2e/world"
	"rollcall.dev/rollcall/test/simulator/core"
)

// token matches an access token in a URL or a header, unless it is masked.
var token = regexp.MustCompile(`(?i)access_?token["=: ]+[0-9A-Za-z_\-]{12,}`)

// TestP12NothingPersonalOrSecretGetsOut: through a life with conflicts, lost answers, throttling, wrong secrets and drift,
// the log at its most talkative, metrics, events, statuses and metadata hold no secret, no mobile number, no mail address and
// no name of a person.
func TestP12NothingPersonalOrSecretGetsOut(t *testing.T) {
	s := setUp(t, "p12-quiet", both)
	const people = 8
	tooFast := map[string]core.Fault{
		world.DingTalk: {Kind: core.KindThrottle, Operation: "department/get", Times: 1},
		world.WeCom:    {Kind: core.KindError, Code: "45033", Operation: "department/get", Times: 1}, // 45009 would cost a minute
	}
	for platform, tenant := range s.tenants {
		s.fault(tenant, tooFast[platform])
		s.must(tenant.Add(s.ctx, "stranger", map[string]any{"name": world.PersonName(900), "mobile": world.Mobile(3)[4:], "email": world.Email(4)}))
		for _, f := range []core.Fault{
			{Kind: core.KindDropAfter, Operation: "user/create", Times: 2},
			{Kind: core.KindDropBefore, Operation: "user/get", Times: 2},
			{Kind: core.KindDropAfter, Operation: "user/list", Times: 1},
			{Kind: core.KindDropBefore, Operation: "gettoken", Times: 1},
			{Kind: core.KindHTTPStatus, HTTPStatus: 502, Operation: "user/create", Skip: 3, Times: 1},
		} {
			s.fault(tenant, f)
		}
	}
	s.people(people, func(e *v1alpha1.Employee) {
		if e.Name == world.PersonObject(5) { // contact data in a Secret, one value of which is malformed
			e.Spec.Contact = v1alpha1.Contact{SecretRef: v1alpha1.SecretReference{Name: "contact"}}
		}
	})
	s.apply(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "contact"},
		StringData: map[string]string{"mobile": world.Mobile(5) + " ", "email": world.Email(5)},
	})
	s.start()
	for _, n := range []int{1, 2, 6, 7, 8} {
		for platform := range s.tenants {
			s.says(n, platform, "")
		}
	}
	for platform := range s.tenants {
		s.says(3, platform, v1alpha1.ReasonDataConflict)
		s.says(5, platform, v1alpha1.ReasonInvalidValue)
		s.must(s.tenants[platform].EditTitle(s.ctx, world.Number(1), "首席摸鱼官"))
	}
	s.edit(2, func(e *v1alpha1.Employee) { e.Spec.Contact.Mobile = world.Mobile(3) }) // taken: an update is refused, or ignored
	s.edit(6, freeze)
	s.delete(s.employee(7))
	s.gone(world.Person(s.namespace, 7, "rd"))
	s.refused()
	s.eventually("drift is healed", func() error {
		for _, tenant := range s.tenants {
			if u, err := tenant.User(s.ctx, world.Number(1)); err != nil || u.Title != world.Title(1) {
				return fmt.Errorf("the title is %q: %w", u.Title, err)
			}
		}
		return nil
	})
	key := s.vault()
	for platform := range s.tenants {
		s.apply(s.backup("of-"+platform, platform), world.Restore(s.namespace, "dry-"+platform, "of-"+platform))
		s.ready(&v1alpha1.Restore{}, "dry-"+platform)
	}
	_, metrics, err := world.Scrape(s.ctx, s.manager)
	s.must(err)
	s.manager.Stop() // what it says at the end counts too
	log, err := shared.ManagerLog(s.namespace)
	s.must(err)
	if !strings.Contains(log, "DEBUG") {
		t.Error("the log is not at its most talkative")
	}
	outputs := map[string]string{"log": log, "metrics": metrics}
	s.objects(outputs)
	for where, text := range outputs {
		s.quiet(where, text)
		if strings.Contains(text, key.String()) {
			t.Errorf("the key of the archives in the %s", where)
		}
	}
}

// refused gives WeCom's account a wrong secret for a while.
func (s *scene) refused() {
	s.Helper()
	secret := s.secret(world.WeCom)
	var right []byte
	s.must(world.Update(s.ctx, shared, secret, func(o *corev1.Secret) {
		right = o.Data["syncSecret"]
		o.Data["syncSecret"] = append([]byte("wrong"), right...)
	}))
	s.condition(world.WeCom, v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonCredentialsRejected)
	s.must(world.Update(s.ctx, shared, secret, func(o *corev1.Secret) { o.Data["syncSecret"] = right }))
	s.condition(world.WeCom, v1alpha1.ConditionCredentialsValid, v1alpha1.ReasonInSync)
}

// objects adds what the API server tells: events, and of each object all but its spec.
func (s *scene) objects(outputs map[string]string) {
	s.Helper()
	var events eventsv1.EventList
	s.must(shared.Client.List(s.ctx, &events, client.InNamespace(s.namespace)))
	if len(events.Items) == 0 {
		s.Error("there is no event to look at")
	}
	for i := range events.Items {
		outputs["event "+events.Items[i].Name] = inJSON(s, &events.Items[i])
	}
	for _, o := range s.everything() {
		whole := map[string]any{}
		s.must(json.Unmarshal([]byte(inJSON(s, o)), &whole))
		delete(whole, "spec")
		outputs[fmt.Sprintf("%T %s", o, o.GetName())] = inJSON(s, whole)
	}
}

func inJSON(s *scene, v any) string {
	s.Helper()
	text, err := json.Marshal(v)
	s.must(err)
	return string(text)
}

// quiet fails if a text holds what must not get out.
func (s *scene) quiet(where, text string) {
	s.Helper()
	look := func(what, value string) {
		if at := strings.Index(strings.ToLower(text), strings.ToLower(value)); value != "" && at >= 0 {
			s.Errorf("%s in the %s: …%s…", what, where, text[max(0, at-200):min(len(text), at+100)])
		}
	}
	for n := range 10 {
		for _, of := range []int{n, 900 + n} {
			_, digits, _ := strings.Cut(world.Mobile(of), "-")
			look("a mobile number", digits)
			look("a mail address", world.Email(of))
			look("a name", world.PersonName(of))
		}
	}
	for _, tenant := range s.tenants {
		for _, value := range tenant.Credentials {
			look("a secret", value)
		}
	}
	look("a secret", world.SecretMark)
	if found := token.FindString(text); found != "" {
		s.Errorf("a token in the %s: %s", where, found)
	}
}
