//! Signatures of access tokens: Ed25519 by ring, for `jsonwebtoken` brings no cryptography of its own.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(EdSigner::new(*algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(EdVerifier::new(*algorithm, key)?)),
    // For key sets, which the users service writes itself.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Gives `jsonwebtoken` its signatures, once in a process. Whoever makes or reads a token calls it before.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    // An error says that another one is installed already, by whoever wants that one.
    ONCE.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

/// The key pair that a seed makes.
pub(crate) fn pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are the seed of an Ed25519 key pair")
}

/// Makes signatures. Its key is the seed of RFC 8032 §5.1.5.
struct EdSigner(Ed25519KeyPair);

impl EdSigner {
    fn new(algorithm: Algorithm, key: &EncodingKey) -> Result<Self, Error> {
        check(algorithm, key.family())?;
        Ok(Self(Ed25519KeyPair::from_seed_unchecked(key.as_bytes()).map_err(|_| ErrorKind::InvalidEddsaKey)?))
    }
}

impl Signer<Vec<u8>> for EdSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

/// Checks signatures. Its key is the 32 bytes of the public key.
struct EdVerifier(UnparsedPublicKey<Vec<u8>>);

impl EdVerifier {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        check(algorithm, key.family())?;
        Ok(Self(UnparsedPublicKey::new(&ED25519, key.try_get_as_bytes()?.to_vec())))
    }
}

impl Verifier<Vec<u8>> for EdVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        self.0.verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for EdVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn check(algorithm: Algorithm, family: AlgorithmFamily) -> Result<(), Error> {
    let is_known = algorithm == Algorithm::EdDSA && family == AlgorithmFamily::Ed;
    if is_known { Ok(()) } else { Err(ErrorKind::InvalidAlgorithm.into()) }
}

#[cfg(test)]
mod tests {
    use ring::signature::KeyPair as _;

    use super::*;

    fn key(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // §7.1, test 2.
        let seed = key("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = key("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let expected = key("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
        let signer = EdSigner::new(Algorithm::EdDSA, &EncodingKey::from_ed_der(&seed)).unwrap();
        assert_eq!(signer.0.public_key().as_ref(), public);
        assert_eq!(signer.try_sign(&[0x72]).unwrap(), expected);

        let verifier = EdVerifier::new(Algorithm::EdDSA, &DecodingKey::from_ed_der(&public)).unwrap();
        assert!(verifier.verify(&[0x72], &expected).is_ok());
        assert!(verifier.verify(&[0x73], &expected).is_err());
        let mut changed = expected;
        changed[63] ^= 1;
        assert!(verifier.verify(&[0x72], &changed).is_err());
    }

    #[test]
    fn no_other_algorithm_is_made_or_checked() {
        let hmac = EncodingKey::from_secret(&[7; 32]);
        assert!(EdSigner::new(Algorithm::HS256, &hmac).is_err());
        assert!(EdSigner::new(Algorithm::EdDSA, &hmac).is_err());
        assert!(EdVerifier::new(Algorithm::HS256, &DecodingKey::from_secret(&[7; 32])).is_err());
        assert!(EdVerifier::new(Algorithm::HS256, &DecodingKey::from_ed_der(&[7; 32])).is_err());
    }
}
