package storage

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

const (
	// partSize and concurrency bound the memory of an upload: it is sent in parts of
	// this size, so many at a time. S3 allows 10,000 parts: archives up to 78 GiB
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
	partSize    = 8 << 20
	concurrency = 2

	// dropTimeout is how long an upload that failed may take to be thrown away.
	dropTimeout = 10 * time.Second

	// attempts is how often a call is made that fails in passing.
	attempts = 3
)

// bucket keeps files below a prefix of a bucket.
type bucket struct {
	blobs        *blob.Bucket
	client       *s3.Client
	http         *http.Transport
	name, prefix string
}

func openBucket(ctx context.Context, c S3) (*bucket, error) {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Stall == 0 {
		c.Stall = time.Minute
	}
	transport, err := newTransport(c.CA, c.Stall)
	if err != nil {
		return nil, err
	}
	options := s3.Options{
		Region:      c.Region,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
		HTTPClient:  &http.Client{Transport: transport},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = attempts, min(2*time.Second, c.Stall/10)
		}),
		UsePathStyle:                              c.PathStyle,
		RequestChecksumCalculation:                aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:                aws.ResponseChecksumValidationWhenRequired,
		DisableLogOutputChecksumValidationSkipped: true,
	}
	if c.Endpoint != "" {
		options.BaseEndpoint = &c.Endpoint
	}
	client := s3.New(options)
	blobs, err := s3blob.OpenBucket(ctx, client, c.Bucket, &s3blob.Options{
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	if err != nil {
		return nil, &fault{class: Invalid, message: "a bucket needs a name", err: err}
	}
	return &bucket{blobs: blobs, client: client, http: transport, name: c.Bucket, prefix: c.Prefix}, nil
}

func (b *bucket) close() error {
	b.http.CloseIdleConnections()
	if err := b.blobs.Close(); err != nil {
		return &fault{class: Unavailable, message: wayMessage(err), err: err}
	}
	return nil
}

func (b *bucket) object(file string) string { return path.Join(b.prefix, file) }

// file is the inverse of object.
func (b *bucket) file(object string) string {
	if b.prefix == "" {
		return object
	}
	return object[min(len(b.prefix)+1, len(object)):]
}

func (b *bucket) create(ctx context.Context, file string, fresh bool) (pending, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := b.blobs.NewWriter(ctx, b.object(file), &blob.WriterOptions{
		ContentType: "application/octet-stream", BufferSize: partSize, MaxConcurrency: concurrency, IfNotExist: fresh,
	})
	if err != nil {
		cancel()
		return nil, bucketFault(ctx, err)
	}
	return &bucketFile{bucket: b, file: file, ctx: ctx, cancel: cancel, w: w}, nil
}

// bucketFile is an upload: one request for a small file, parts for a big one.
type bucketFile struct {
	bucket *bucket
	file   string
	size   int64
	ctx    context.Context //nolint:containedctx // an io.Writer has no other place for it
	cancel context.CancelFunc
	w      *blob.Writer
	over   bool
}

func (f *bucketFile) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	f.size += int64(n)
	return n, bucketFault(f.ctx, err)
}

func (f *bucketFile) Close() error {
	if f.over {
		return nil
	}
	f.over = true
	err := bucketFault(f.ctx, f.w.Close())
	f.cancel()
	if err != nil {
		f.drop()
	}
	return err
}

// Abort takes the SDK its context: it cannot complete the upload any more.
func (f *bucketFile) Abort() {
	if f.over {
		return
	}
	f.over = true
	f.cancel()
	_ = f.w.Close()
	f.drop()
}

// drop ends what the SDK began and did not end: it tries to, but not whichever call
// the context cuts. What cannot be dropped now is a leftover for later.
func (f *bucketFile) drop() {
	if f.size < partSize {
		return // one request, and no parts
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), dropTimeout)
	defer cancel()
	_ = f.bucket.dropUploads(ctx, f.bucket.object(f.file))
}

func (b *bucket) open(ctx context.Context, file string) (io.ReadCloser, error) {
	r := &resuming{ctx: ctx, at: func(offset int64) (io.ReadCloser, error) {
		return b.blobs.NewRangeReader(ctx, b.object(file), offset, -1, nil)
	}}
	var err error
	r.now, err = r.at(0)
	if err != nil {
		return nil, bucketFault(ctx, err)
	}
	return r, nil
}

func (b *bucket) stat(ctx context.Context, file string) (object, error) {
	a, err := b.blobs.Attributes(ctx, b.object(file))
	if err != nil {
		return object{}, bucketFault(ctx, err)
	}
	return object{file: file, size: a.Size, since: a.ModTime}, nil
}

func (b *bucket) list(ctx context.Context, folder string, each func(object) error) error {
	it := b.blobs.List(&blob.ListOptions{Prefix: b.object(folder) + "/"})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bucketFault(ctx, err)
		}
		if err := each(object{file: b.file(o.Key), size: o.Size, since: o.ModTime}); err != nil {
			return err
		}
	}
}

func (b *bucket) remove(ctx context.Context, file string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String(b.object(file))})
	if err = bucketFault(ctx, err); absent(err) {
		return nil
	}
	return err
}

func (b *bucket) begun(ctx context.Context, folder string, each func(object) error) error {
	return b.uploads(ctx, b.object(folder)+"/", func(u types.MultipartUpload) error {
		return each(object{file: b.file(aws.ToString(u.Key)), since: aws.ToTime(u.Initiated)})
	})
}

func (b *bucket) drop(ctx context.Context, folder string) error {
	return b.dropUploads(ctx, b.object(folder)+"/")
}

func (b *bucket) dropUploads(ctx context.Context, prefix string) error {
	return b.uploads(ctx, prefix, func(u types.MultipartUpload) error {
		_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: u.Key, UploadId: u.UploadId})
		if err = bucketFault(ctx, err); absent(err) {
			return nil
		}
		return err
	})
}

// uploads gives the uploads that were neither completed nor aborted. Who may not list
// them, or cannot, leaves them to the bucket's own rules.
func (b *bucket) uploads(ctx context.Context, prefix string, each func(types.MultipartUpload) error) error {
	pages := s3.NewListMultipartUploadsPaginator(b.client, &s3.ListMultipartUploadsInput{
		Bucket: &b.name, Prefix: &prefix,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err = bucketFault(ctx, err); err != nil {
			if f, ok := errors.AsType[*fault](err); ok && (f.class == Denied || f.class == Invalid) {
				return nil
			}
			return err
		}
		for _, u := range page.Uploads {
			if err := each(u); err != nil {
				return err
			}
		}
	}
	return nil
}
