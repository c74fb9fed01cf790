// Package operators says who may operate the gateway, and what.
//
//	Authorization: Bearer …  ─┐
//	                          ├─▶ File ─▶ Operator ─▶ May(role, resource)
//	client certificate's CN  ─┘
//
// The file has an operator a line: name, role, and what proves it, which is the
// SHA-256 of a token in hex or the word certificate. A fourth word bounds what the
// operator reaches; without it that is everything.
//
//	# name  role    proof                     within
//	alice   admin   9f86d081884c7d659a2fea…
//	prober  viewer  certificate
//	plant7  admin   60303ae22b998861bce3b2…   projects/p/locations/l/registries/plant7
//
// Tokens are not in it, so that who reads the file cannot act. It is read again when
// it changes; one that cannot be read or has a mistake changes nothing, an operator
// that is not in it any more is refused within seconds. Who is not in it is nobody:
// there is no default and no anonymous role.
package operators
