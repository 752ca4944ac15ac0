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
    let digest = match rule.algorithm {
        HashKind::Sha1 => return None,
        HashKind::Sha256 => {
            let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret).ok()?;
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        HashKind::Sha512 => {
            let mut mac = hmac::Hmac::<sha2::Sha512>::new_from_slice(secret).ok()?;
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
    };
    let hex = || digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(Zeroizing::new(match rule.value {
        HmacValue::Hex => hex(),
        HmacValue::Base64 => STANDARD.encode(&digest),
        HmacValue::Base64OfKeyColonHex => STANDARD.encode(format!("{}:{}", *key, hex())),
    }))
}
