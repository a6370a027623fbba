// Command bench measures what Rollcall promises about scale: `make bench` runs it.
//
// It measures bin/rollcall, or the program that ROLLCALL_MANAGER names, prints one figure a line (name value goal ok|MISS) and
// writes them all to a JSON file. Figures are ratios and counts, taken in one run, so that they compare between machines. See
// figures.go for what each of them means. The control plane, the simulator and the manager share the machine: what else runs
// there shows in the ratio of times.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"rollcall.dev/rollcall/test/e2e/world"
)

// size of the company, and of the road to its platforms.
type size struct {
	People      int `json:"people"`
	Departments int `json:"departments"`
	// Rate is how many calls a second each platform allows overall.
	Rate int `json:"callsPerSecond"`
	// Archived are the people of another company, who are backed up.
	Archived int `json:"archived"`
	// Bound are the people of another company, who hold a role by one PermissionBinding.
	Bound int `json:"bound"`
	// Linked are the people of another company, who have an account in a linked system and are frozen all at once.
	Linked int `json:"linked"`
	// LinkedRate is how many calls a second that system allows.
	LinkedRate int `json:"linkedCallsPerSecond"`
}

func main() {
	var s size
	flag.IntVar(&s.People, "people", 2000, "people on each platform; 0 imports nobody")
	flag.IntVar(&s.Departments, "departments", 30, "departments on each platform")
	flag.IntVar(&s.Rate, "rate", 200, "calls a second that each platform allows overall")
	flag.IntVar(&s.Archived, "archived", 50000, "people on each platform who are backed up; 0 backs up nobody")
	flag.IntVar(&s.Bound, "bound", 5000, "people on each platform who hold a role by one binding; 0 binds nobody")
	flag.IntVar(&s.Linked, "linked", 2000, "people who have an account in a linked system and are frozen all at once; 0 links nobody")
	flag.IntVar(&s.LinkedRate, "linked-rate", linkedRate, "calls a second that the linked system allows")
	platforms := flag.String("platforms", world.DingTalk+","+world.WeCom, "platforms to measure, one after the other")
	out := flag.String("out", "", "JSON file to write the figures to")
	strict := flag.Bool("strict", false, "end with status 1 when a goal is missed")
	verbose := flag.Bool("v", false, "say on standard error what is being done, and how often which call was made")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &report{Size: s}
	err := run(ctx, r, strings.Split(*platforms, ","), *verbose)
	if err == nil && *out != "" {
		err = r.write(*out)
	}
	if err == nil && *strict && slices.ContainsFunc(r.Figures, func(f figure) bool { return !f.OK }) {
		err = errors.New("a goal was missed")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // everything is stopped by now
	}
}

func run(ctx context.Context, r *report, platforms []string, verbose bool) error {
	w, err := world.Start(ctx, world.Options{})
	if err != nil {
		return err
	}
	defer w.Stop()
	for _, platform := range platforms {
		of := func(s size) *bench { return &bench{world: w, report: r, size: s, platform: platform, verbose: verbose} }
		if err := measure(ctx, of, r.Size); err != nil {
			return fmt.Errorf("measuring %s: %w", platform, err)
		}
	}
	if r.Size.Linked == 0 {
		return nil
	}
	l := &linking{bench: &bench{world: w, report: r, size: r.Size, platform: world.WeCom, verbose: verbose}, people: r.Size.Linked}
	if err := l.run(ctx); err != nil {
		return fmt.Errorf("measuring a linked system: %w", err)
	}
	return nil
}

// measure measures one platform; what has no people is left out.
func measure(ctx context.Context, of func(size) *bench, s size) error {
	if s.People > 0 {
		if err := of(s).run(ctx); err != nil {
			return err
		}
		l := &leaving{bench: of(s)}
		if err := l.run(ctx); err != nil {
			return fmt.Errorf("how people leave: %w", err)
		}
	}
	if s.Bound > 0 {
		m := &binding{of(size{People: s.Bound, Departments: s.Departments, Rate: 10 * s.Rate})} // how they are imported does not matter
		if err := m.run(ctx); err != nil {
			return fmt.Errorf("a role: %w", err)
		}
	}
	if s.Archived > 0 {
		a := &archiving{bench: of(s), people: s.Archived, departments: s.Archived/100 + 1}
		if err := a.run(ctx); err != nil {
			return fmt.Errorf("a backup: %w", err)
		}
	}
	return nil
}
