//! Keys of the CRM: made once and shown once. What is kept is a hash of 32 random bytes, which needs no salt and no slow
//! function; it is compared in constant time.

use std::net::IpAddr;

use service_kit::rate_limit::caller_of;
use service_kit::{Clock, Ids, Secret};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{CrmApi, CrmError};
use crate::store::crm_keys::CrmKeyRow;
use crate::store::vault::Vault;

/// Every key begins with this.
pub const KEY_PREFIX: &str = "gck_";
const PANEL_SECRET_PREFIX: &str = "gps_";
const SECRET_BYTES: usize = 32;
const ID_BYTES: usize = 8;
/// That a key was used is written down at most this often.
const TOUCH_MS: i64 = 60_000;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read tickets of customers.
    TicketsRead,
    /// Open tickets.
    TicketsCreate,
    /// Follow the feed.
    EventsRead,
    /// Show the panel.
    PanelSign,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TicketsRead, Self::TicketsCreate, Self::EventsRead, Self::PanelSign];

    /// The word in commands and problems.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TicketsRead => "tickets:read",
            Self::TicketsCreate => "tickets:create",
            Self::EventsRead => "events:read",
            Self::PanelSign => "panel:sign",
        }
    }

    /// The scope with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A program of the CRM whose key was checked.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key's id.
    pub key_id: String,
    scopes: Vec<Scope>,
}

impl Caller {
    /// The caller whose key this is.
    #[must_use]
    pub fn of(key: &CrmKeyRow) -> Self {
        let scopes = key.scopes.split(' ').filter_map(Scope::from_word).collect();
        Self { key_id: key.id.clone(), scopes }
    }

    /// Whether the key has the scope.
    ///
    /// # Errors
    /// [`CrmError::ScopeMissing`].
    pub fn needs(&self, scope: Scope) -> Result<(), CrmError> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(CrmError::ScopeMissing(scope.as_str())) }
    }
}

/// A new key: what is kept of it, and the secret, which can't be had again.
#[must_use]
pub fn make(name: &str, scopes: &[Scope], clock: &Clock, ids: &Ids) -> (CrmKeyRow, Secret) {
    let mut bytes = [0_u8; ID_BYTES];
    ids.fill(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = format!("{KEY_PREFIX}{hex}");
    let secret = Secret::new(format!("{id}_{}", ids.token(SECRET_BYTES)));
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let row = CrmKeyRow {
        id,
        name: name.to_owned(),
        secret_hash: hash(secret.expose()),
        scopes: words.join(" "),
        created_at: clock.now().ms(),
        last_used_at: None,
        revoked_at: None,
    };
    (row, secret)
}

/// The secret with which the CRM signs links to the panel itself. It follows from the key's id and the bridge's own key, so
/// it stands in no database.
#[must_use]
pub fn panel_secret(vault: &Vault, key_id: &str) -> Secret {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bytes = vault.shared_secret("panel", key_id);
    Secret::new(format!("{PANEL_SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes)))
}

/// Who calls, by the key they show. Counts the call; wrong keys from one address are counted, too, and end in a pause.
///
/// # Errors
/// [`CrmError::KeyInvalid`], [`CrmError::TooMany`], [`CrmError::Database`].
pub async fn authenticate(api: &CrmApi, shown: Option<&str>, peer: IpAddr) -> Result<Caller, CrmError> {
    let key = match shown.and_then(id_of) {
        Some(id) => api.bridge.store.crm_key(id.to_owned()).await?,
        None => None,
    };
    // An unknown id costs the same comparison as a known one.
    let expected = key.as_ref().map_or_else(|| vec![0; SECRET_BYTES], |key| key.secret_hash.clone());
    let same = bool::from(hash(shown.unwrap_or_default()).ct_eq(&expected));
    let Some(key) = key.filter(|_| same) else {
        // A right key is let in whatever others behind the same proxy try.
        api.limits.failed.attempt(&caller_of(peer)).map_err(CrmError::TooMany)?;
        return Err(CrmError::KeyInvalid);
    };
    api.limits.requests.attempt(&key.id).map_err(CrmError::TooMany)?;
    let now = api.bridge.clock.now();
    if key.last_used_at.is_none_or(|used| now.ms() - used >= TOUCH_MS) {
        api.bridge.store.touch_crm_key(key.id.clone(), now).await?;
    }
    Ok(Caller::of(&key))
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

/// The id that stands in front of a secret, if it looks like one of ours.
fn id_of(secret: &str) -> Option<&str> {
    let (id, rest) = secret.split_at_checked(KEY_PREFIX.len() + 2 * ID_BYTES)?;
    let plain = id.strip_prefix(KEY_PREFIX)?.bytes().all(|byte| byte.is_ascii_hexdigit());
    (plain && rest.starts_with('_') && secret.len() <= 128).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_kit::Timestamp;

    #[test]
    fn a_key_holds_its_id_and_is_kept_as_a_hash_only() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let (row, secret) = make("CRM", &[Scope::TicketsRead], &clock, &Ids::seeded(clock.clone(), 1));
        assert_eq!(id_of(secret.expose()), Some(row.id.as_str()));
        assert_eq!(row.secret_hash, hash(secret.expose()));
        assert!(secret.expose().len() > 60 && !format!("{row:?}").contains(secret.expose()));
    }

    #[test]
    fn what_is_no_key_has_no_id() {
        for text in
            ["", "gck_", "gck_0123456789abcdef", "gk_0123456789abcdef_x", "gck_0123456789abcdeж_x", "ж"]
        {
            assert_eq!(id_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_caller_has_the_scopes_of_the_key_and_no_others() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let (row, _) = make("CRM", &[Scope::EventsRead], &clock, &Ids::seeded(clock.clone(), 1));
        let caller = Caller::of(&row);
        assert!(caller.needs(Scope::EventsRead).is_ok());
        assert!(matches!(caller.needs(Scope::TicketsRead), Err(CrmError::ScopeMissing("tickets:read"))));
    }
}
