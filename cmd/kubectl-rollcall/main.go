// Command kubectl-rollcall is a kubectl plugin: what approvers, auditors and administrators
// do with what Rollcall asks and leaves behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/internal/audit"
)

const usage = `kubectl rollcall approve NAME [--except NUMBER,...] [--reason TEXT] [--yes]
kubectl rollcall reject NAME [--reason TEXT] [--yes]

Shows whom an Approval lists, and decides it under your own user name. It asks before it
writes; --yes leaves that out. Of a Review, --except takes the role from those, and
the others keep it; reject takes it from everybody.

kubectl rollcall confirm OFFBOARDING TASK [--note TEXT]

Says that a manual task of a leaving is done. What was confirmed is acted upon, and not
taken back.

kubectl rollcall unlinking [EMPLOYEE...] [-l LABELS] [--system NAME]

Lists the accounts that people have in linked systems, and what leaving would do to each.
It changes nothing.

kubectl rollcall reviews --from DAY [--to DAY] [-o csv|json]

Writes all reviews of PermissionBindings that were open in a period, for auditors.

kubectl rollcall audit verify [-head RECORDS:SHA256] FOLDER

Checks the audit trail in a folder: that no record was altered, removed or moved.
The head is status.trail of the EnterpriseAccount; with it, a trail whose end was
cut off is found, too. It needs no cluster.

All others take --namespace (-n), --context and --kubeconfig, as kubectl does.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "kubectl rollcall:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) > 0 && (args[0] == "approve" || args[0] == "reject"):
		return decide(ctx, args[0], args[1:], in, out)
	case len(args) > 0 && args[0] == "confirm":
		return confirm(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "unlinking":
		return unlinking(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "reviews":
		return reviews(ctx, args[1:], out, time.Now())
	case len(args) > 1 && args[0] == "audit" && args[1] == "verify":
		return verifyTrail(args[2:], out)
	}
	_, _ = io.WriteString(out, usage)
	return errors.New("say what to do: approve, reject, confirm, unlinking, reviews or audit verify")
}

// newFlags are the flags of a command; what is wrong with them is told with the usage.
func newFlags(name string, out io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { _, _ = io.WriteString(out, usage) }
	return flags
}

func verifyTrail(args []string, out io.Writer) error {
	flags := newFlags("audit verify", out)
	known := flags.String("head", "", "what status.trail of the EnterpriseAccount shows, as RECORDS:SHA256")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name one folder: that of the trail, <audit directory>/<namespace>/<account>")
	}
	head, err := parseHead(*known)
	if err != nil {
		return err
	}
	return verify(flags.Arg(0), head, out)
}

func parseHead(text string) (audit.Head, error) {
	if text == "" {
		return audit.Head{}, nil
	}
	records, sum, ok := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(records, 10, 64)
	if !ok || err != nil || seq == 0 || len(sum) != 64 {
		return audit.Head{}, errors.New("-head: write the number of records, a colon, and the SHA-256 of the newest, e.g. 412:9f86d081…")
	}
	return audit.Head{Seq: seq, SHA256: sum}, nil
}

func verify(folder string, head audit.Head, out io.Writer) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no folder", folder)
	}
	trail, err := audit.OpenFolder(folder)
	if err != nil {
		return err
	}
	defer func() { _ = trail.Close() }()
	found, err := audit.Verify(trail, head, nil)
	if err != nil {
		return fmt.Errorf("the trail is NOT whole: %w", err)
	}
	if found.Records == 0 {
		return fmt.Errorf("there is no trail in %s", folder)
	}
	_, err = fmt.Fprintf(out, "the trail is whole: %d records, the newest has SHA-256 %s\n", found.Records, found.Head.SHA256)
	if len(found.Unfinished) > 0 {
		numbers := make([]string, 0, len(found.Unfinished))
		for _, seq := range found.Unfinished {
			numbers = append(numbers, strconv.FormatUint(seq, 10))
		}
		_, err = fmt.Fprintf(out, "intents without an outcome, because Rollcall ended there: %s\n", strings.Join(numbers, ", "))
	}
	return err
}
