//! Wall 5, *keep*, the pure part: cards are sealed before they reach the database, addresses are only hashed.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20::{R20, hchacha};
use hmac::{Hmac, KeyInit, Mac};
use service_kit::{Ids, Secret, Timestamp};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::walls::{Wall, Walls};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// First byte of a sealed card; a later format gets another.
const FORMAT: u8 = 1;

/// Whether these are bytes that [`Vault::seal`] makes: the format, room for nonce and tag, and no text. It looks at the
/// bytes alone, so it also notices a seal that has done nothing.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&FORMAT)
        && bytes.len() > NONCE_BYTES + TAG_BYTES
        && std::str::from_utf8(bytes).is_err()
}

/// Holds the keys of the cache. No `Debug` worth the name.
#[derive(Clone)]
pub struct Vault {
    cards: CardKey,
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

/// Makes what stands in the place of the CRM's id of somebody who was erased: the same for the same id, so that they are known
/// again, and of no use to whoever has the database without the key.
#[derive(Clone)]
pub struct ErasedIds(Hmac<Sha256>);

impl fmt::Debug for ErasedIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErasedIds")
    }
}

impl ErasedIds {
    /// What they all begin with.
    pub const PREFIX: &str = "erased:";

    /// What stands for that id.
    #[must_use]
    pub fn of(&self, source: &str, crm_id: &str) -> String {
        let mut mac = self.0.clone();
        for part in ["id", source, crm_id] {
            mac.update(part.as_bytes());
            mac.update(b"|");
        }
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
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
    fn bytes(&self) -> String {
        // As often as cards are copied: without the machinery of `format!`.
        ["guichet card 1|", self.customer_ref, "|", &self.as_of.ms().to_string(), "|", self.policy].concat()
    }
}

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): HChaCha20 makes of the key and two thirds of the nonce a key for one
/// message, which is sealed as in RFC 8439. Nonces of 24 random bytes never come twice, however many cards there are.
#[derive(Clone)]
struct CardKey(Zeroizing<[u8; KEY_BYTES]>);

impl CardKey {
    fn for_nonce(&self, nonce: &[u8; NONCE_BYTES]) -> Option<(LessSafeKey, Nonce)> {
        let (begin, end) = nonce.split_first_chunk::<16>()?;
        let mut key = hchacha::<R20>((&*self.0).into(), begin.into());
        let made = UnboundKey::new(&CHACHA20_POLY1305, &key);
        key.as_mut_slice().zeroize();
        let mut short = [0_u8; NONCE_LEN];
        short.last_chunk_mut::<8>()?.copy_from_slice(end);
        Some((LessSafeKey::new(made.ok()?), Nonce::assume_unique_for_key(short)))
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
            cards: CardKey(Zeroizing::new(cards.as_slice().try_into().map_err(|_| wrong())?)),
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
        self.seal_bytes(plain, bond.bytes().as_bytes(), ids)
    }

    /// Seals what is no card and is bound to these bytes. No test build can take this seal away.
    #[must_use]
    pub fn seal_bytes(&self, plain: &[u8], bond: &[u8], ids: &Ids) -> Option<Vec<u8>> {
        let mut nonce = [0_u8; NONCE_BYTES];
        ids.fill(&mut nonce);
        let (key, short) = self.cards.for_nonce(&nonce)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + plain.len() + TAG_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let text = sealed.get_mut(1 + NONCE_BYTES..)?;
        let tag = key.seal_in_place_separate_tag(short, Aad::from(bond), text).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// Opens a card. None if it was changed, moved, or sealed with another key: then it counts as not there.
    #[must_use]
    pub fn open(&self, sealed: &[u8], bond: Bond<'_>) -> Option<Zeroizing<Vec<u8>>> {
        if !self.walls.stands(Wall::Seal) {
            return Some(Zeroizing::new(sealed.to_vec()));
        }
        self.open_bytes(sealed, bond.bytes().as_bytes())
    }

    /// Opens what was sealed with [`Vault::seal_bytes`].
    #[must_use]
    pub fn open_bytes(&self, sealed: &[u8], bond: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (format, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if *format != FORMAT {
            return None;
        }
        let (key, short) = self.cards.for_nonce(nonce)?;
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let length = key.open_in_place(short, Aad::from(bond), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    /// The hash of a normalised address; `kind` keeps a number from colliding with an address.
    #[must_use]
    pub fn address_hash(&self, kind: &str, address: &str) -> AddressHash {
        AddressHash(self.address_bytes(kind, address).to_vec())
    }

    /// The same as bytes.
    #[must_use]
    pub fn address_bytes(&self, kind: &str, address: &str) -> [u8; 32] {
        let mut mac = self.addresses.clone();
        mac.update(kind.as_bytes());
        mac.update(b"|");
        mac.update(address.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// For the ids of those who were erased.
    #[must_use]
    pub fn erased_ids(&self) -> ErasedIds {
        ErasedIds(self.addresses.clone())
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

    /// The vault of the key whose bytes are 0 to 31.
    fn fixed_vault() -> Vault {
        let key: Vec<u8> = (0..32).collect();
        Vault::new(&Secret::new(STANDARD.encode(key)), Walls::standing()).unwrap()
    }

    #[test]
    fn what_another_implementation_of_the_cipher_sealed_opens_and_the_other_way_round() {
        use chacha20poly1305::aead::{Aead, Payload};
        use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

        let ids = Ids::seeded(Clock::system(), 1);
        let vault = fixed_vault();
        let other = XChaCha20Poly1305::new(&Key::try_from(vault.cards.0.as_slice()).unwrap());
        for length in [0, 1, 15, 16, 63, 64, 65, 500, 4_000] {
            let (plain, bond) = (vec![7; length], vec![9; length / 3]);
            let sealed = vault.seal_bytes(&plain, &bond, &ids).unwrap();
            let (nonce, ciphertext) = sealed[1..].split_at(NONCE_BYTES);
            let nonce = XNonce::try_from(nonce).unwrap();
            let theirs = other.encrypt(&nonce, Payload { msg: &plain, aad: &bond }).unwrap();
            assert_eq!(theirs, ciphertext, "{length}");
            assert_eq!(vault.open_bytes(&sealed, &bond).unwrap().as_slice(), plain, "{length}");
        }
    }

    #[test]
    fn a_card_that_was_sealed_long_ago_still_opens() {
        const SEALED: &str = "AWRlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e1TKciKChiMpByHvKk6iZjruQvn7WZUAX1k0";
        let bond = Bond { customer_ref: "cus_1", as_of: Timestamp::from_ms(5), policy: "p" };
        let sealed = STANDARD.decode(SEALED).unwrap();
        assert_eq!(fixed_vault().open(&sealed, bond).unwrap().as_slice(), b"Ilya Sorin");
    }

    #[test]
    fn the_cipher_is_that_of_the_draft() {
        // draft-irtf-cfrg-xchacha-03, A.3.1.
        let key: [u8; 32] = std::array::from_fn(|i| 0x80 + u8::try_from(i).unwrap());
        let nonce: [u8; 24] = std::array::from_fn(|i| 0x40 + u8::try_from(i).unwrap());
        let bond = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let mut text =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                         sunscreen would be it."
                .to_vec();
        let (key, nonce) = CardKey(Zeroizing::new(key)).for_nonce(&nonce).unwrap();
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(bond), &mut text).unwrap();
        assert_eq!(text[..8], [0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b]);
        let wanted = 0xc087_5924_c1c7_9879_47de_afd8_780a_cf49_u128;
        assert_eq!(tag.as_ref(), wanted.to_be_bytes());
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
    fn what_stands_for_an_erased_id_depends_on_key_crm_and_id() {
        let ids = Ids::seeded(Clock::system(), 1);
        let vault = vault(&ids);
        let erased = vault.erased_ids().of("sandbox", "Ilya Sorin");
        assert_eq!(erased, vault.erased_ids().of("sandbox", "Ilya Sorin"));
        assert!(!erased.contains("Sorin") && erased.len() == 50, "{erased}");
        assert_ne!(erased, vault.erased_ids().of("sandbox", "Ilya Sorina"));
        assert_ne!(erased, vault.erased_ids().of("hubspot", "Ilya Sorin"));
        assert_ne!(erased, super::tests::vault(&ids).erased_ids().of("sandbox", "Ilya Sorin"));
    }

    #[test]
    fn a_key_that_is_none_is_explained() {
        let error = Vault::new(&Secret::new("c2hvcnQ="), Walls::standing()).unwrap_err();
        assert!(error.contains("keys generate"), "{error}");
    }
}
