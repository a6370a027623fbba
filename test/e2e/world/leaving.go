package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// PolicyName is the name of the OffboardingPolicy.
const PolicyName = "everybody"

// Policy declares how everybody leaves: backed up to the storage of [Storage], a second of grace, everybody told whom a notice
// can go to. Successor, Manager and Administrators are found where the Employees name them. Change it before applying it.
func Policy(namespace string) *v1alpha1.OffboardingPolicy {
	return &v1alpha1.OffboardingPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PolicyName},
		Spec: v1alpha1.OffboardingPolicySpec{
			AppliesTo: v1alpha1.PolicyDefault,
			OffboardingTerms: v1alpha1.OffboardingTerms{
				Backup: v1alpha1.OffboardingBackup{
					Mode: v1alpha1.BackupRequired, StorageRef: v1alpha1.StorageReference{Name: StorageName}, Datasets: []v1alpha1.Dataset{"Directory"},
				},
				GraceSeconds: new(int64(1)),
				Notices: []v1alpha1.Notice{
					{To: v1alpha1.NoticeLeaver}, {To: v1alpha1.NoticeManager}, {To: v1alpha1.NoticeSuccessor, Language: v1alpha1.NoticeEnglish},
				},
			},
		},
	}
}

// Depart declares that people leave, some at a time.
func (w *World) Depart(ctx context.Context, namespace string, people ...int) error {
	return each(ctx, people, func(ctx context.Context, n int) error {
		e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PersonObject(n)}}
		return Update(ctx, w, e, func(e *v1alpha1.Employee) {
			e.Spec.State, e.Spec.StateReason = v1alpha1.EmployeeDeparted, "contract ended"
		})
	})
}

// Freeze declares that people are frozen, some at a time.
func (w *World) Freeze(ctx context.Context, namespace string, people ...int) error {
	return each(ctx, people, func(ctx context.Context, n int) error {
		e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PersonObject(n)}}
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"state":"Frozen","stateReason":"long leave"}}`))
		if err := w.Client.Patch(ctx, e, patch); err != nil {
			return fmt.Errorf("declaring %s frozen: %w", e.Name, err)
		}
		return nil
	})
}

// Return declares that people stay after all.
func (w *World) Return(ctx context.Context, namespace string, people ...int) error {
	return each(ctx, people, func(ctx context.Context, n int) error {
		e := &v1alpha1.Employee{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: PersonObject(n)}}
		return Update(ctx, w, e, func(e *v1alpha1.Employee) { e.Spec.State, e.Spec.StateReason = "", "" })
	})
}

// Prune deletes the objects as Argo CD prunes: in foreground, all at once.
func (w *World) Prune(ctx context.Context, objects ...client.Object) error {
	return each(ctx, objects, func(ctx context.Context, o client.Object) error {
		err := w.Client.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationForeground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("pruning %s: %w", o.GetName(), err)
		}
		return nil
	})
}

// Reapply creates objects that were pruned again, as they were declared. One that is still there is an error.
func (w *World) Reapply(ctx context.Context, objects ...client.Object) error {
	var again []client.Object
	for _, o := range objects {
		fresh, ok := o.DeepCopyObject().(client.Object)
		if !ok {
			return fmt.Errorf("%T is no object", o)
		}
		fresh.SetResourceVersion("")
		fresh.SetUID("")
		fresh.SetFinalizers(nil)
		fresh.SetDeletionTimestamp(nil)
		fresh.SetManagedFields(nil)
		again = append(again, fresh)
	}
	return w.Apply(ctx, again...)
}

// Leavings are the Offboardings of the n-th person, by age. Those of whom nobody has made one are none.
func (w *World) Leavings(ctx context.Context, namespace string, n int) ([]v1alpha1.Offboarding, error) {
	var list v1alpha1.OffboardingList
	if err := w.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{"spec.number": Number(n)}); err != nil {
		return nil, fmt.Errorf("reading leavings: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.Offboarding) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return list.Items, nil
}

// Confirm confirms every manual task of a leaving that nobody has confirmed, as a person would who has done them.
func (w *World) Confirm(ctx context.Context, o *v1alpha1.Offboarding) error {
	open := Tasks(o)
	if len(open) == 0 {
		return nil
	}
	err := Update(ctx, w, o, func(o *v1alpha1.Offboarding) {
		for _, task := range Tasks(o) {
			o.Spec.Confirmations = append(o.Spec.Confirmations, v1alpha1.Confirmation{Task: task, Note: "done"})
		}
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// Tasks are the manual tasks that nobody has confirmed.
func Tasks(o *v1alpha1.Offboarding) (open []string) {
	for i := range o.Status.Accounts {
		for _, task := range o.Status.Accounts[i].Tasks {
			known := slices.ContainsFunc(o.Spec.Confirmations, func(c v1alpha1.Confirmation) bool { return c.Task == task.Name })
			if !known {
				open = append(open, task.Name)
			}
		}
	}
	return open
}

// Join has people accept their invitation to WeCom, without which nobody can take customers over. On DingTalk they need not.
func (t *Tenant) Join(ctx context.Context, ids ...string) error {
	if t.Platform != WeCom {
		return nil
	}
	return each(ctx, ids, func(ctx context.Context, id string) error {
		return t.sim.Control(ctx, http.MethodPost, t.path("accept", id), nil, nil)
	})
}

// GiveRole makes a role of this number and name, and gives it to people. On WeCom it is a tag of the app.
func (t *Tenant) GiveRole(ctx context.Context, number int, name string, ids ...string) error {
	if t.Platform == DingTalk {
		type holder struct {
			UserID string `json:"userid"`
		}
		users := []holder{}
		for _, id := range ids {
			users = append(users, holder{id})
		}
		return t.sim.Control(ctx, http.MethodPut, t.path("roles", strconv.Itoa(number)), map[string]any{"name": name, "users": users}, nil)
	}
	if err := t.ask(ctx, "tag/create", map[string]any{"tagid": number, "tagname": name}); err != nil {
		return err
	}
	for some := range slices.Chunk(ids, 1000) {
		if err := t.ask(ctx, "tag/addtagusers", map[string]any{"tagid": number, "userlist": some}); err != nil {
			return err
		}
	}
	var err error
	t.asked, err = t.sim.Last(ctx)
	return err
}

// Holders are those who have a role, sorted by id.
func (t *Tenant) Holders(ctx context.Context, number int) (ids []string, err error) {
	collection := "roles"
	if t.Platform == WeCom {
		collection = "tags"
	}
	var role struct {
		Users    []struct{ UserID string } // of DingTalk
		UserList []string                  // of WeCom
	}
	if err := t.sim.Control(ctx, http.MethodGet, t.path(collection, strconv.Itoa(number)), nil, &role); err != nil {
		return nil, err
	}
	ids = role.UserList
	for _, u := range role.Users {
		ids = append(ids, u.UserID)
	}
	slices.Sort(ids)
	return ids, nil
}

// ask calls WeCom as the app, as somebody else's program would.
func (t *Tenant) ask(ctx context.Context, operation string, body map[string]any) error {
	var token struct {
		Token string `json:"access_token"`
	}
	query := url.Values{"corpid": {t.CorpID}, "corpsecret": {t.Credentials["appSecret"]}}
	if err := t.call(ctx, http.MethodGet, "gettoken", query, nil, &token); err != nil {
		return err
	}
	return t.call(ctx, http.MethodPost, operation, url.Values{"access_token": {token.Token}}, body, nil)
}

func (t *Tenant) call(ctx context.Context, method, operation string, query url.Values, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("asking WeCom: %w", err)
		}
		body = strings.NewReader(string(text))
	}
	request, err := http.NewRequestWithContext(ctx, method, t.sim.WeComURL+"/cgi-bin/"+operation+"?"+query.Encode(), body)
	if err != nil {
		return fmt.Errorf("asking WeCom: %w", err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking WeCom: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return fmt.Errorf("asking WeCom: %w", err)
	}
	var status struct {
		ErrCode int    `json:"errcode"`
		ErrMsg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(text, &status); err != nil || status.ErrCode != 0 {
		return fmt.Errorf("asking WeCom: %s: %d %s: %w", operation, status.ErrCode, status.ErrMsg, err)
	}
	if out != nil {
		return json.Unmarshal(text, out)
	}
	return nil
}
