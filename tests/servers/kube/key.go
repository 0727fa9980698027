package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
)

// makeServiceAccountKey writes a fresh RSA key where --service-account-signing-key-file points, if nothing is there.
// The API server does not start without one; made here, the tests need no openssl. The same file serves as
// --service-account-key-file, since a private key contains the public one.
func makeServiceAccountKey(args []string) error {
	for _, arg := range args {
		path, found := strings.CutPrefix(arg, "--service-account-signing-key-file=")
		if !found {
			continue
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		if err != nil {
			return err
		}
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return err
		}
		block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		return errors.Join(pem.Encode(file, &block), file.Close())
	}
	return nil
}
