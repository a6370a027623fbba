package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/rollcall/test/simulator/control"
	"rollcall.dev/rollcall/test/simulator/core"
)

// addTenants adds the tenants that a file lists.
func addTenants(c *core.Core, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the tenants: %w", err)
	}
	var specs []json.RawMessage
	if err := json.Unmarshal(data, &specs); err != nil {
		return fmt.Errorf("reading the tenants: %w", err)
	}
	for i, spec := range specs {
		if err := control.AddTenant(c, spec); err != nil {
			return fmt.Errorf("adding tenant %d of %s: %w", i+1, path, err)
		}
	}
	return nil
}

// giveHistory gives the people of all tenants a past of so many days: "90d".
func giveHistory(c *core.Core, text string) error {
	days, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
	if err != nil {
		return fmt.Errorf("-history must be days such as 90d, not %q", text)
	}
	for _, p := range c.Platforms() {
		for _, t := range p.TenantNames() {
			if err := (core.History{Days: days, Seed: 1}).Give(p, t); err != nil {
				return fmt.Errorf("-history: %w", err)
			}
		}
	}
	return nil
}

// writeReady writes the URLs whole or not at all.
func writeReady(path string, urls map[string]string) error {
	data, err := json.Marshal(urls)
	if err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("writing the ready file: %w", err)
	}
	return nil
}

// selfSigned makes a CA and a certificate for loopback, good for a week, and
// writes the CA to ca.crt in dir. No dir, no TLS.
func selfSigned(dir string) (*tls.Config, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("writing the CA: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "simulator CA"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caCert, caKey, err := certify(ca, ca, nil)
	if err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "simulator"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, key, err := certify(leaf, ca, caKey)
	if err != nil {
		return nil, fmt.Errorf("making the certificate: %w", err)
	}
	path := filepath.Join(dir, "ca.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caCert})
	if err := os.WriteFile(path, block, 0o600); err != nil {
		return nil, fmt.Errorf("writing the CA: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}},
	}, nil
}

// certify signs a certificate with a new key; without signer by itself.
func certify(c, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if signer == nil {
		signer = key
	}
	now := time.Now()
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(7*24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	return der, key, err
}
