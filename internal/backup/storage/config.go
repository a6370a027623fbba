package storage

import (
	"context"
	"path"
	"path/filepath"
	"time"
)

// Config says where a place is: exactly one of Local and S3.
type Config struct {
	Local *Local
	S3    *S3
}

// Local is a folder on a volume.
type Local struct {
	// Root is where the volume is mounted. It must exist: a volume that is not
	// mounted shall not become a folder on another disk.
	Root string
	// Folder under it; it is made where it is missing.
	Folder string
}

// S3 is a prefix in a bucket of an S3-compatible service.
type S3 struct {
	Bucket, Prefix string
	// Region; empty is us-east-1.
	Region string
	// Endpoint is the service's URL; empty is that of AWS.
	Endpoint string
	// PathStyle puts the bucket into the path instead of the host name.
	PathStyle bool
	// CA holds PEM certificates to trust instead of the system's.
	CA []byte
	// AccessKeyID and SecretAccessKey are never printed.
	AccessKeyID, SecretAccessKey string
	// Stall ends a connection on which nothing moves for so long; 0 is a minute.
	Stall time.Duration
}

// Open returns a place. It makes no call over the network; Probe does.
func Open(ctx context.Context, c Config) (*Place, error) {
	switch {
	case c.Local != nil && c.S3 == nil:
		p := &Place{name: "file://" + filepath.ToSlash(filepath.Join(c.Local.Root, c.Local.Folder))}
		v, err := openVolume(*c.Local)
		if err != nil {
			return nil, p.wrap(err, "", "opening the folder")
		}
		p.backend = v
		return p, nil
	case c.S3 != nil && c.Local == nil:
		p := &Place{name: "s3://" + path.Join(c.S3.Bucket, c.S3.Prefix)}
		b, err := openBucket(ctx, *c.S3)
		if err != nil {
			return nil, p.wrap(err, "", "opening the bucket")
		}
		p.backend = b
		return p, nil
	default:
		return nil, &Error{Class: Invalid, Place: "storage", Op: "opening the place", Message: "set exactly one of a volume and a bucket"}
	}
}
