package storage

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

type meaning struct {
	class   Class
	message string
}

// What the codes of S3 and of its kin mean. AWS:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; Aliyun OSS:
// https://www.alibabacloud.com/help/en/oss/developer-reference/error-codes (the codes that are its own
// are marked (?): taken from its pages, not seen); MinIO: cmd/api-errors.go of its source (?).
var bucketCodes = map[string]meaning{
	"AccessDenied":          {Denied, "the service refuses: these credentials may not do this"},
	"Forbidden":             {Denied, "the service refuses: these credentials may not do this"},
	"AllAccessDisabled":     {Denied, "the service has disabled access to the bucket"},
	"AccountProblem":        {Denied, "the service has closed the account"},
	"InvalidAccessKeyId":    {Denied, "the service does not know the access key"},
	"SignatureDoesNotMatch": {Denied, "the secret access key is wrong"},
	"ExpiredToken":          {Denied, "the credentials are out of date"},
	"InvalidToken":          {Denied, "the credentials are not valid"},
	"RequestTimeTooSkewed":  {Denied, "the service refuses: its clock and ours differ too much"},
	"UserDisable":           {Denied, "the service has suspended the account, perhaps for unpaid bills"}, // OSS (?)

	"NoSuchKey":      {NotFound, "it is not there"},
	"NotFound":       {NotFound, "it is not there"},
	"NoSuchUpload":   {NotFound, "the upload is not there any more"},
	"NoSuchBucket":   {NotFound, "there is no such bucket"},
	"InvalidRange":   {Damaged, "it is shorter than it was"},
	"EntityTooLarge": {Full, "it is bigger than the service allows"},

	"QuotaExceeded":                  {Full, "the quota of the bucket is used up"},
	"InsufficientStorage":            {Full, "the service has no space left"},
	"StorageFull":                    {Full, "the service has no space left"},
	"XMinioStorageFull":              {Full, "the service has no space left"},      // MinIO (?)
	"XMinioAdminBucketQuotaExceeded": {Full, "the quota of the bucket is used up"}, // MinIO (?)

	"AuthorizationHeaderMalformed": {Invalid, "the region is not the bucket's"},
	"PermanentRedirect":            {Invalid, "the bucket is at another endpoint"},
	"InvalidBucketName":            {Invalid, "the bucket's name is not valid"},
	"NotImplemented":               {Invalid, errNotImplemented.message},
	"MethodNotAllowed":             {Invalid, "the service does not have this"},
	"PreconditionFailed":           {Invalid, errExists.message},

	"SlowDown":           {Unavailable, "the service asks us to slow down"},
	"RequestTimeout":     {Unavailable, "the service waited for us too long"},
	"ServiceUnavailable": {Unavailable, "the service is not available"},
	"InternalError":      {Unavailable, "the service reports an error of its own"},
}

// bucketFault says what an error of the SDK means. Its text is not shown: it can hold
// request ids, URLs and what a stranger wrote.
func bucketFault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if gone := interrupted(ctx); gone != nil {
		return gone
	}
	if errors.Is(err, io.EOF) {
		// What http says of a connection that was cut; to a reader it would be a good end.
		return &fault{class: Unavailable, message: wayMessage(nil), err: io.ErrUnexpectedEOF}
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if m, known := bucketCodes[api.ErrorCode()]; known {
			switch api.ErrorCode() {
			case "PreconditionFailed":
				return errExists
			case "NotImplemented":
				return errNotImplemented
			}
			return &fault{class: m.class, message: m.message, gone: api.ErrorCode() == "NoSuchBucket", err: err}
		}
	}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.HTTPStatusCode() != 0 {
		m := statusMeaning(r.HTTPStatusCode())
		return &fault{class: m.class, message: m.message, err: err}
	}
	return &fault{class: Unavailable, message: wayMessage(err), err: err}
}

// statusMeaning is for answers whose code says nothing.
func statusMeaning(status int) meaning {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return bucketCodes["AccessDenied"]
	case status == http.StatusNotFound:
		return bucketCodes["NoSuchKey"]
	case status == http.StatusRequestEntityTooLarge:
		return bucketCodes["EntityTooLarge"]
	case status == http.StatusInsufficientStorage:
		return bucketCodes["InsufficientStorage"]
	case status >= 300 && status < 400:
		return bucketCodes["PermanentRedirect"]
	case status == http.StatusTooManyRequests:
		return bucketCodes["SlowDown"]
	case status >= 400 && status < 500:
		return meaning{Invalid, "the service does not understand what is asked"}
	default:
		return bucketCodes["InternalError"]
	}
}

// wayMessage says what is wrong with the way to the service.
func wayMessage(err error) string {
	var (
		dns  *net.DNSError
		cert x509.UnknownAuthorityError
		host x509.HostnameError
	)
	switch {
	case errors.As(err, &cert):
		return "the service's certificate is of an authority that is not trusted"
	case errors.As(err, &host):
		return "the service's certificate is for another host"
	case errors.As(err, &dns):
		return "the service's host name is not known"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing moved on the connection any more"
	default:
		return "the service cannot be reached, or the connection was cut"
	}
}
