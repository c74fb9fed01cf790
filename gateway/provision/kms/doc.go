// Package kms signs with a key that never leaves Google Cloud KMS: an authority of
// provisioning then has no key file.
//
// The key version is asked for its public half once, at Open. Each signature is one
// call, with checksums both ways. What KMS does not answer in time is an error, and
// the request that wanted the signature is refused for now.
// https://cloud.google.com/kms/docs/create-validate-signatures
package kms
