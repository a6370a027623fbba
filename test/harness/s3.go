package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// S3Options of StartS3.
type S3Options struct {
	// Dir holds the buckets, a folder each, and in them an object as a file.
	Dir string
	// Key and Secret are the only credentials.
	Key, Secret string
	LogDir      string
}

// S3 is a running S3 server.
type S3 struct {
	*Process
	URL string
}

// StartS3 starts an S3 server (versitygw) over a folder, and waits until it answers.
func StartS3(ctx context.Context, o S3Options) (*S3, error) {
	path, err := repoBinary("tools/versitygw", "bin/tools/versitygw")
	if err != nil {
		return nil, err
	}
	var address string
	if err := fillAddresses(ctx, &address); err != nil {
		return nil, err
	}
	args := []string{"--port", address, "--quiet"}
	for _, d := range []string{"iam", "meta"} {
		if err := os.MkdirAll(filepath.Join(o.LogDir, "s3", d), 0o700); err != nil {
			return nil, fmt.Errorf("starting the S3 server: %w", err)
		}
	}
	args = append(args, "--iam-dir", filepath.Join(o.LogDir, "s3", "iam"), "posix", "--sidecar", filepath.Join(o.LogDir, "s3", "meta"), o.Dir)
	process, err := Start(Command{
		Name: "versitygw", Path: path, Args: args, Env: []string{"ROOT_ACCESS_KEY_ID=" + o.Key, "ROOT_SECRET_ACCESS_KEY=" + o.Secret}, LogDir: o.LogDir,
	})
	if err != nil {
		return nil, err
	}
	s := &S3{Process: process, URL: "http://" + address}
	if err := process.awaitReady(ctx, reachable(s.URL)); err != nil {
		process.Stop()
		return nil, fmt.Errorf("starting the S3 server: %w", err)
	}
	return s, nil
}
