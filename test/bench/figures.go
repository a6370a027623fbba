package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

// report is what bin/bench.json holds.
type report struct {
	Time    time.Time `json:"time"`
	CPUs    int       `json:"cpus"`
	Size    size      `json:"size"`
	Figures []figure  `json:"figures"`
}

// figure is one measured number. Its name begins with the platform, or with linked.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Goal is "=N", "<=N", or "-" for a figure that is only told.
	Goal string `json:"goal"`
	OK   bool   `json:"ok"`
}

// The figures, after the platform's name:
//
//	import.time_ratio           wall time from the manager's start until all are Ready, over (calls / limit)
//	import.cpu_ratio            processor time of all parts, this program included, over all processors for (calls / limit):
//	                            from about 0.8 it is the machine that sets the pace, above 1 it cannot be done
//	import.create_calls_person  calls that create a user, those that failed included, per person
//	import.calls_person         calls of all kinds per person
//	import.throttled            answers of "too many calls"
//	import.duplicates           users beyond one for each number
//	import.orphans              users that no Employee holds, the creators left out
//	import.api_writes_person    writing requests to the API server per person, departments and all; a person takes three: the
//	                            finalizer, the record before the account is created, and that it was
//	import.peak_kib_person      most memory of the manager, in KiB, over people; its base of about 40 MiB included
//	freeze.calls_ahead          other calls that went between the edit of spec.state and the freeze, amid the import;
//	                            the goal is what half a second lets through
//	leave.freeze_p99_ratio      time from declaring somebody Departed to the call that takes access away, the 99th percentile
//	                            amid the import of all people over that in rest; with fewer than 100 samples the greatest
//	leave.freeze_p50_ratio      the same of the middle
//	leave.samples               people who left amid the import
//	drift.passes                full readings that the next three were taken over
//	drift.other_calls_person    calls a pass that are no list pages, per person
//	drift.list_calls_ratio      list calls a pass, over ceil(people / page) + 2 x departments + 8
//	drift.api_writes            writing requests to the API server in all these passes
//	restart.api_writes          the same for a restart that finds all as declared
//	restart.platform_writes     writing calls to the platform in that restart
//	backup.peak_mib             most memory of the manager while it backs up a company that only the platform knows, in MiB
//	backup.peak_to_archive      the same, over the size of the archive
//	backup.items_person         people, departments, roles and holders in the archive, per person
//	restart.calls_beyond_pass   calls of that restart beyond those of one drift pass: tokens, and a check of the credentials
//	binding.give_calls_ratio    calls that give a role to a whole company by one PermissionBinding, over the fewest that can: people
//	                            over how many the platform takes at once, DingTalk 20, WeCom 1,000
//	binding.give_calls_person   the same with all calls about roles, the reading of who holds it included, per person
//	binding.take_calls_ratio    calls that take it away when the binding is deleted, over the fewest: DingTalk 100, WeCom 1,000
//	binding.take_calls_person   the same with all calls about roles, per person
//
// Of a linked system there is one, whatever the platforms:
//
//	linked.disable_time_ratio         wall time from the first of many people who are declared frozen at once until the system
//	                                  itself says of the last of their accounts that it is inactive, over (calls / limit)
//	linked.disable_cpu_ratio          as import.cpu_ratio, of that
//	linked.disable_calls_per_account  calls for each of these accounts, until all are said to be frozen
const (
	under = "<="
	equal = "="
	told  = "-"
)

// add prints and keeps a figure. A relation of told has no goal.
func (r *report) add(name string, value float64, relation string, goal float64) {
	f := figure{Name: name, Value: value, Goal: told, OK: true}
	switch relation {
	case under:
		f.Goal, f.OK = under+number(goal), value <= goal
	case equal:
		f.Goal, f.OK = equal+number(goal), value == goal
	}
	r.Figures = append(r.Figures, f)
	verdict := "ok"
	if !f.OK {
		verdict = "MISS"
	}
	fmt.Println(f.Name, number(f.Value), f.Goal, verdict)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// rounded keeps three decimals: more would be noise.
func rounded(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 3, 64), 64)
	if err != nil { // cannot be
		return v
	}
	return r
}

func (r *report) write(path string) error {
	r.Time, r.CPUs = time.Now().UTC().Truncate(time.Second), runtime.NumCPU()
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the figures: %w", err)
	}
	return nil
}
