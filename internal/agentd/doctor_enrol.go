package agentd

import (
	"crypto/x509"
	"fmt"
	"time"

	"iotbridge/device"
	"iotbridge/device/enroll"
)

// lookAtBootstrap: modes and expiry of what a credential is asked for with.
func (d *Doctor) lookAtBootstrap(clock device.Clock) (string, error) {
	pair, err := d.bootstrap().Load()
	if err != nil {
		return "", err
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return "", err
	}
	unit, err := enroll.Board{Serial: d.Serial}.Unit()
	if err != nil {
		return "", err
	}
	ends := leaf.NotAfter.Format(time.DateOnly)
	if clock.Plausible() && clock.Now().After(leaf.NotAfter) {
		if d.awaits {
			return "", fmt.Errorf("%s expired on %s: no credential is granted for it; put the profile's newer one there", d.bootstrap().Certificate, ends)
		}
		return fmt.Sprintf("it expired on %s; this device has a credential of its own", ends), nil
	}
	return fmt.Sprintf("board %s asks in %s at %s; the certificate ends %s", unit.Serial, d.Profile, d.ProvisionURL, ends), nil
}

// lookAtCredential is about keys that were got by enrolling.
func (d *Doctor) lookAtCredential(clock device.Clock) (string, error) {
	if d.awaits {
		return "", fmt.Errorf("%s is not there yet: run asks for it, and \"iotbridge-agent provision --once\" says why it is not granted", d.key())
	}
	identity, err := enroll.Load(d.key())
	if err != nil || identity == nil {
		return "", nil //nolint:nilerr // the key is looked at next, and what is wrong with it is said there
	}
	ends := identity.Certificate.NotAfter.Format(time.DateOnly)
	if clock.Plausible() && clock.Now().After(identity.Certificate.NotAfter) {
		return "", fmt.Errorf("the certificate of %s expired on %s: run asks for another, if its profile lets it; else an operator resets the claim, and the key is moved away", d.key(), ends)
	}
	if d.ProvisionURL == "" {
		return fmt.Sprintf(", until %s, and not renewed: PROVISION_URL is not set", ends), nil
	}
	return fmt.Sprintf(", until %s, renewed after %s", ends, identity.RenewAfter.Format(time.DateOnly)), nil
}
