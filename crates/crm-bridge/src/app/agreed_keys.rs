//! Keys agreed on with the ticket service, so that not every grant costs a signature and its check.
//!
//! The bridge keeps none: a key's name is the key itself, sealed for the bridge alone, with the second until which it is
//! good. So every bridge on the same cache key knows it, and none forgets it when it starts anew. It is bound to the ticket
//! service's public key: with another one in the settings it is good no longer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bridge_contract::{AgreedKeyId, AgreementAnswer, AgreementQuestion, Grant, KeyHalf, Purpose, Version};
use service_kit::token::{AGREED_KEY_LIFETIME_S, AgreedKey, Half};
use zeroize::Zeroizing;

use super::{Bridge, BridgeError};

/// Agrees with the ticket service that has this public key. `is_signed` is whether the grant carries its signature: a key
/// must not prolong itself.
///
/// # Errors
/// [`BridgeError::GrantRefused`].
pub fn agree(
    bridge: &Bridge,
    (grant, is_signed): (&Grant, bool),
    question: &AgreementQuestion,
    public_key: &str,
) -> Result<AgreementAnswer, BridgeError> {
    let granted = match &grant.purpose {
        Purpose::Agreement { half } if half == &question.half => half,
        Purpose::Agreement { .. } => {
            return Err(BridgeError::GrantRefused("it is for another half of a key"));
        }
        _ => return Err(BridgeError::GrantRefused("it is not for agreeing on a key")),
    };
    if !is_signed {
        return Err(BridgeError::GrantRefused("a key is agreed on under a signature only"));
    }
    let broken = |_| BridgeError::Internal("a key could not be made");
    let half = Half::new(&bridge.ids).map_err(broken)?;
    let ours = KeyHalf::new(half.public()).map_err(|_| BridgeError::Internal("half of a key"))?;
    let key =
        half.agree(granted.as_str()).map_err(|_| BridgeError::GrantRefused("its half of a key is none"))?;
    let key_id = name(bridge, &key, public_key).ok_or(BridgeError::Internal("a key could not be sealed"))?;
    let lasts_s = u32::try_from(AGREED_KEY_LIFETIME_S).map_err(|_| BridgeError::Internal("lifetime"))?;
    Ok(AgreementAnswer { version: Version, key_id, half: ours, lasts_s })
}

/// The key with this name, if it was agreed on with whom that public key belongs to and is still good.
#[must_use]
pub fn open(bridge: &Bridge, name: &str, public_key: &str) -> Option<AgreedKey> {
    let sealed = URL_SAFE_NO_PAD.decode(name).ok()?;
    let opened = bridge.vault.open_bytes(&sealed, &bond(public_key))?;
    let (until, key) = opened.split_first_chunk::<8>()?;
    (bridge.clock.now().seconds() < i64::from_be_bytes(*until)).then(|| AgreedKey::from_bytes(key))?
}

fn name(bridge: &Bridge, key: &AgreedKey, public_key: &str) -> Option<AgreedKeyId> {
    let until = bridge.clock.now().seconds() + AGREED_KEY_LIFETIME_S;
    let plain = Zeroizing::new([&until.to_be_bytes(), key.bytes()].concat());
    let sealed = bridge.vault.seal_bytes(&plain, &bond(public_key), &bridge.ids)?;
    AgreedKeyId::new(URL_SAFE_NO_PAD.encode(sealed)).ok()
}

fn bond(public_key: &str) -> Vec<u8> {
    [b"guichet agreed key 1|", public_key.as_bytes()].concat()
}
