package limits

import "time"

// Limits bound how many people lose access within a window that ends now.
type Limits struct {
	Window time.Duration
	// Count of people; Percent of those who are managed; Floor below which nobody is held up.
	Count, Percent, Floor int
}

// The limits where nothing else is declared.
var Default = Limits{Window: 24 * time.Hour, Count: 20, Percent: 5, Floor: 3}

// grain is how much earlier than it was an admission may have been noted: the API keeps whole seconds.
const grain = time.Second

// Most is how many people may lose access within the window, of so many who are managed.
func (l Limits) Most(managed int) int {
	return max(l.Floor, min(l.Count, int(int64(managed)*int64(l.Percent)/100)))
}

// Within reports whether an admission counts at a time. One in the future does: a clock was put back.
func (l Limits) Within(admitted, now time.Time) bool {
	return admitted.Add(l.Window + grain).After(now)
}

// Facts is what was durably noted, and how many people there are.
type Facts struct {
	// Admitted is when people were admitted within the limits. Whom an Approval admitted is
	// not among them: a human has looked at each.
	Admitted []time.Time
	// Waiting people are over the limit, and nobody has decided about them.
	Waiting int
	// Managed people on the account, those who left it within the window included: else the
	// limit would shrink with everybody whom it lets go.
	Managed int
}

// Decision is whether one more may lose access.
type Decision struct {
	Admit bool
	// Most may lose access within the window, and Used of them have.
	Most, Used int
}

// Decide says whether somebody may lose access now who does not wait already.
func Decide(l Limits, f Facts, now time.Time) Decision {
	d := Decision{Most: l.Most(f.Managed)}
	for _, at := range f.Admitted {
		if l.Within(at, now) {
			d.Used++
		}
	}
	d.Admit = f.Waiting == 0 && d.Used < d.Most
	return d
}
