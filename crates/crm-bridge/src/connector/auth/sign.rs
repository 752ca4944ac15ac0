//! A signature over each request, with a key that never travels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit, Mac};
use zeroize::Zeroizing;

use crate::connector::ask::{Fillings, Pen};
use crate::connector::profile::auth::{HashKind, Hmac, HmacValue};

/// The value of the signature header for a request with that method and path (without the leading slash).
pub(in crate::connector) fn sign(
    rule: &Hmac,
    fillings: &Fillings,
    method: &'static str,
    path: &str,
) -> Option<Zeroizing<String>> {
    let fillings =
        Fillings { method: Some(method), path: Some(Zeroizing::new(path.to_owned())), ..fillings.clone() };
    let pen = Pen::plain(&fillings);
    let message = pen.text(&rule.message).ok()??;
    let key = pen.text(&rule.key).ok()??;
    let secret = fillings.secret.as_ref()?.expose().as_bytes();
    let digest = digest(rule.algorithm, secret, message.as_bytes())?;
    let hex = || digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(Zeroizing::new(match rule.value {
        HmacValue::Hex => hex(),
        HmacValue::Base64 => STANDARD.encode(&digest),
        HmacValue::Base64OfKeyColonHex => STANDARD.encode(format!("{}:{}", *key, hex())),
    }))
}

/// HMAC (RFC 2104) with that hash.
fn digest(algorithm: HashKind, secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    fn of<M: Mac, E>(mac: Result<M, E>, message: &[u8]) -> Option<Vec<u8>> {
        let mut mac = mac.ok()?;
        mac.update(message);
        Some(mac.finalize().into_bytes().to_vec())
    }
    match algorithm {
        HashKind::Sha1 => of(hmac::Hmac::<sha1::Sha1>::new_from_slice(secret), message),
        HashKind::Sha256 => of(hmac::Hmac::<sha2::Sha256>::new_from_slice(secret), message),
        HashKind::Sha512 => of(hmac::Hmac::<sha2::Sha512>::new_from_slice(secret), message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_that_a_profile_can_name_signs() {
        let hex = |algorithm| {
            let digest = digest(algorithm, b"key", b"The quick brown fox jumps over the lazy dog").unwrap();
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(hex(HashKind::Sha1), "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9");
        assert_eq!(hex(HashKind::Sha256), "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
        assert_eq!(
            hex(HashKind::Sha512),
            "b42af09057bac1e2d41708e48a902e09b5ff7f12ab428a4fe86653c73dd248fb82f948a549f7b791a5b41915ee4d1ec3935357e4e2317250d0372afa2ebeeb3a"
        );
    }
}
