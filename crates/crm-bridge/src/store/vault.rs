//! Wall 5, *keep*, the pure part: cards are sealed before they reach the database, addresses are only hashed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use service_kit::{Ids, Secret, Timestamp};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::walls::{Wall, Walls};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// First byte of a sealed card; a later format gets another.
const FORMAT: u8 = 1;

/// Whether these are bytes that [`Vault::seal`] makes: the format, room for nonce and tag, and no text. It looks at the
/// bytes alone, so it also notices a seal that has done nothing.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    const TAG_BYTES: usize = 16;
    bytes.first() == Some(&FORMAT)
        && bytes.len() > NONCE_BYTES + TAG_BYTES
        && std::str::from_utf8(bytes).is_err()
}

/// Holds the keys of the cache. No `Debug` worth the name.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    addresses: Hmac<Sha256>,
    outward: Hmac<Sha256>,
    walls: Walls,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// A keyed hash of a normalised address or number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressHash(pub(super) Vec<u8>);

impl AddressHash {
    /// The bytes of the hash.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a sealed card is bound to: moved to another customer, another time or another policy it does not open.
#[derive(Debug, Clone, Copy)]
pub struct Bond<'a> {
    /// Whose card.
    pub customer_ref: &'a str,
    /// When the CRM gave it.
    pub as_of: Timestamp,
    /// Under which policy it was read.
    pub policy: &'a str,
}

impl Bond<'_> {
    fn bytes(&self) -> Vec<u8> {
        format!("guichet card 1|{}|{}|{}", self.customer_ref, self.as_of.ms(), self.policy).into_bytes()
    }
}

impl Vault {
    /// Opens the vault with the text of a key file: 32 random bytes in base64.
    ///
    /// # Errors
    /// A sentence that says how to make a key.
    pub fn new(key_file: &Secret, walls: Walls) -> Result<Self, String> {
        let wrong =
            || "the cache key is not 32 bytes in base64; make one with `crm-bridge keys generate`".to_owned();
        let bytes = Zeroizing::new(STANDARD.decode(key_file.expose().trim()).map_err(|_| wrong())?);
        if bytes.len() != KEY_BYTES {
            return Err(wrong());
        }
        // Two keys out of one, so that a hash can never help with a card.
        let cards = subkey(&bytes, b"cards").ok_or_else(wrong)?;
        let addresses = subkey(&bytes, b"addresses").ok_or_else(wrong)?;
        let outward = subkey(&bytes, b"outward").ok_or_else(wrong)?;
        Ok(Self {
            cipher: XChaCha20Poly1305::new(&Key::try_from(cards.as_slice()).map_err(|_| wrong())?),
            addresses: Hmac::new_from_slice(&addresses).map_err(|_| wrong())?,
            outward: Hmac::new_from_slice(&outward).map_err(|_| wrong())?,
            walls,
        })
    }

    /// The text of a new key file.
    #[must_use]
    pub fn generate_key(ids: &Ids) -> Secret {
        let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
        ids.fill(bytes.as_mut());
        Secret::new(STANDARD.encode(bytes.as_ref()))
    }

    /// Seals a card. None only if the cipher fails, which a card of some hundred bytes cannot make it do.
    #[must_use]
    pub fn seal(&self, plain: &[u8], bond: Bond<'_>, ids: &Ids) -> Option<Vec<u8>> {
        if !self.walls.stands(Wall::Seal) {
            return Some(plain.to_vec());
        }
        self.seal_bytes(plain, &bond.bytes(), ids)
    }

    /// Seals what is no card and is bound to these bytes. No test build can take this seal away.
    #[must_use]
    pub fn seal_bytes(&self, plain: &[u8], bond: &[u8], ids: &Ids) -> Option<Vec<u8>> {
        let mut nonce = [0_u8; NONCE_BYTES];
        ids.fill(&mut nonce);
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: bond }).ok()?;
        Some([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    /// Opens a card. None if it was changed, moved, or sealed with another key: then it counts as not there.
    #[must_use]
    pub fn open(&self, sealed: &[u8], bond: Bond<'_>) -> Option<Zeroizing<Vec<u8>>> {
        if !self.walls.stands(Wall::Seal) {
            return Some(Zeroizing::new(sealed.to_vec()));
        }
        self.open_bytes(sealed, &bond.bytes())
    }

    /// Opens what was sealed with [`Vault::seal_bytes`].
    #[must_use]
    pub fn open_bytes(&self, sealed: &[u8], bond: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (format, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES)?;
        if *format != FORMAT {
            return None;
        }
        let payload = Payload { msg: ciphertext, aad: bond };
        let nonce = XNonce::try_from(nonce).ok()?;
        self.cipher.decrypt(&nonce, payload).ok().map(Zeroizing::new)
    }

    /// The hash of a normalised address; `kind` keeps a number from colliding with an address.
    #[must_use]
    pub fn address_hash(&self, kind: &str, address: &str) -> AddressHash {
        let mut mac = self.addresses.clone();
        mac.update(kind.as_bytes());
        mac.update(b"|");
        mac.update(address.as_bytes());
        AddressHash(mac.finalize().into_bytes().to_vec())
    }

    /// The secret that the CRM shares with the bridge for one purpose and one id, such as a webhook's. It is made anew each
    /// time and stands in no database.
    #[must_use]
    pub fn shared_secret(&self, purpose: &str, id: &str) -> Zeroizing<Vec<u8>> {
        let mut mac = self.outward.clone();
        mac.update(purpose.as_bytes());
        mac.update(b"|");
        mac.update(id.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().to_vec())
    }
}

fn subkey(key: &[u8], name: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(b"guichet crm-bridge ");
    mac.update(name);
    Some(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use service_kit::Clock;

    use super::*;
    use crate::policy::load::load;

    fn vault(ids: &Ids) -> Vault {
        Vault::new(&Vault::generate_key(ids), Walls::standing()).unwrap()
    }

    #[test]
    fn a_card_opens_only_where_it_belongs_and_only_unchanged() {
        let ids = Ids::seeded(Clock::system(), 1);
        let vault = vault(&ids);
        let policy = load(include_str!("../../../../config/field-policy.toml")).unwrap();
        let bond =
            Bond { customer_ref: "cus_1", as_of: Timestamp::from_ms(5), policy: policy.hash().as_str() };
        let mut sealed = vault.seal(b"Ilya Sorin", bond, &ids).unwrap();
        assert_eq!(vault.open(&sealed, bond).unwrap().as_slice(), b"Ilya Sorin");
        assert!(!sealed.windows(4).any(|four| four == b"Ilya"));
        assert!(vault.open(&sealed, Bond { customer_ref: "cus_2", ..bond }).is_none());
        assert!(vault.open(&sealed, Bond { as_of: Timestamp::from_ms(6), ..bond }).is_none());
        assert!(super::tests::vault(&ids).open(&sealed, bond).is_none(), "another key");
        *sealed.last_mut().unwrap() ^= 1;
        assert!(vault.open(&sealed, bond).is_none());
        for short in [&b""[..], &[1], &[2; 60]] {
            assert!(vault.open(short, bond).is_none());
        }
    }

    #[test]
    fn an_address_hash_depends_on_key_kind_and_address() {
        let ids = Ids::seeded(Clock::system(), 1);
        let vault = vault(&ids);
        let hash = vault.address_hash("email", "a@b.example");
        assert_eq!(hash, vault.address_hash("email", "a@b.example"));
        assert_ne!(hash, vault.address_hash("phone", "a@b.example"));
        assert_ne!(hash, super::tests::vault(&ids).address_hash("email", "a@b.example"));
    }

    #[test]
    fn a_key_that_is_none_is_explained() {
        let error = Vault::new(&Secret::new("c2hvcnQ="), Walls::standing()).unwrap_err();
        assert!(error.contains("keys generate"), "{error}");
    }
}
