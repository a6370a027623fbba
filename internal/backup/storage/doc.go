// Package storage keeps archives in a place: a folder on a volume, or a prefix in
// a bucket of an S3-compatible service.
//
// Below a place lie
//
//	<namespace>/<account>/<tenant>/<time>-<random>/archive.tar.zst.age
//	                                               seal.json
//	                                               hold.json
//	                                               restores/…
//	<namespace>/.claims/<uid>
//	<namespace>/.canary/<uid>
//
// The seal is written last and removed first: what has none is no archive, so that a
// crash at any instruction leaves a whole archive or nothing that lists. A file
// becomes visible whole or not at all: on a volume by fsync and rename, in a bucket
// because S3 has it so (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
//
// Buckets are reached through gocloud.dev/blob. Its backend for files is not used: it
// does not fsync, so that a sealed archive could be empty after a power cut, and its
// listing passes over what it cannot read. [volume] does the same in a page.
//
// Aliyun OSS and Tencent COS do not take the checksums that the SDK of AWS adds by
// itself to uploads (https://github.com/aws/aws-sdk-go-v2/discussions/2960): they are
// off. What is stored is proven by reading it back, with hashes of our own.
package storage
