package auth

import (
	"errors"
	"math/big"
)

var (
	errSmallFactor  = errors.New("an RSA key with a small prime factor: make another")
	errCloseFactors = errors.New("an RSA key with two factors close to each other: make another")
	errROCA         = errors.New("an RSA key from a chip with a known fault (CVE-2017-15361): make another elsewhere")
)

// fermatRounds finds factors that differ in their lower half only (CVE-2022-26320).
const fermatRounds = 100

// checkFactors refuses a modulus that is known to be easy to factor, as public
// certificate authorities do (CA/Browser Forum Baseline Requirements, 6.1.1.3).
func checkFactors(n *big.Int) error {
	switch {
	case new(big.Int).GCD(nil, nil, n, smallPrimes).Cmp(big.NewInt(1)) != 0:
		return errSmallFactor
	case roca(n):
		return errROCA
	case closeFactors(n):
		return errCloseFactors
	}
	return nil
}

// smallPrimes is the product of the primes below 752.
var smallPrimes = func() *big.Int {
	product := big.NewInt(1)
	for p := int64(2); p < 752; p++ {
		if candidate := big.NewInt(p); candidate.ProbablyPrime(0) {
			product.Mul(product, candidate)
		}
	}
	return product
}()

// rocaPrimes tell the fingerprint of RSALib's primes (Nemec et al., The Return of
// Coppersmith's Attack, 2017, section 3.1): such a modulus is a power of 65537 modulo each of them,
// as one of 2^27 others is.
var rocaPrimes = []uint64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

func roca(n *big.Int) bool {
	for _, p := range rocaPrimes {
		rest := new(big.Int).Mod(n, new(big.Int).SetUint64(p)).Uint64()
		if !powerOf65537(rest, p) {
			return false
		}
	}
	return true
}

func powerOf65537(rest, p uint64) bool {
	power := uint64(1)
	for range p {
		if power == rest {
			return true
		}
		power = power * 65537 % p
	}
	return false
}

// closeFactors is Fermat's method: n = a² - b² for an a close to the root.
func closeFactors(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	square, b := new(big.Int), new(big.Int)
	for range fermatRounds {
		square.Mul(a, a).Sub(square, n)
		if square.Sign() >= 0 && b.Mul(b.Sqrt(square), b).Cmp(square) == 0 {
			return true
		}
		a.Add(a, big.NewInt(1))
	}
	return false
}
