// Command kubectl-rollcall is a kubectl plugin: what auditors and administrators
// do with what Rollcall leaves behind. It needs no cluster.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"rollcall.dev/rollcall/internal/audit"
)

const usage = `kubectl rollcall audit verify [-head RECORDS:SHA256] FOLDER

Checks the audit trail in a folder: that no record was altered, removed or moved.
The head is status.trail of the EnterpriseAccount; with it, a trail whose end was
cut off is found, too.
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "kubectl rollcall:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 || args[0] != "audit" || args[1] != "verify" {
		_, _ = io.WriteString(out, usage)
		return errors.New("there is one command: audit verify")
	}
	flags := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { _, _ = io.WriteString(out, usage) }
	known := flags.String("head", "", "what status.trail of the EnterpriseAccount shows, as RECORDS:SHA256")
	if err := flags.Parse(args[2:]); err != nil {
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
