//! The values that a run plants: fresh ones, so that nothing of an earlier run and nothing by chance is found.

use std::collections::BTreeMap;

use marker_search::written;
use serde::{Deserialize, Serialize};
use service_kit::Ids;
use sha2::{Digest, Sha256};

use crate::connector::profile::Profile;
use crate::connector::profile::plant::{MarkerKind, Plant, Secrecy};
use crate::policy::{FieldKind, Policy};

const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const TEXT_LETTERS: usize = 20;
const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
const VOWELS: &[u8] = b"aeiou";

/// One planted value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// Its name in profile and report.
    pub name: String,
    /// What it looks like.
    pub kind: MarkerKind,
    /// The field of the policy that it stands in; none if it is hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it is a secret of; none if it stands in a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Secrecy>,
    /// The value.
    pub value: String,
    /// Where a person types it in, for a CRM without a key for writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
}

impl Marker {
    /// The value in all spellings, each with the name of the way.
    #[must_use]
    pub fn spellings(&self) -> Vec<(&'static str, Vec<u8>)> {
        spellings(self.kind, &self.value)
    }

    /// By which the report names the value without saying it.
    #[must_use]
    pub fn digest(&self) -> String {
        Sha256::digest(self.value.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A value of that kind in all spellings, each with the name of the way.
#[must_use]
pub fn spellings(kind: MarkerKind, value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let kind = match kind {
        MarkerKind::Amount => "amount",
        MarkerKind::Iban => "iban",
        MarkerKind::Phone => "phone",
        // The end of an address may be shown under a mask.
        MarkerKind::Email => "email",
        MarkerKind::Text | MarkerKind::Name => "text",
    };
    written(kind, value)
}

/// Fresh values for everything that a profile plants.
#[must_use]
pub fn fresh(plant: &Plant, ids: &Ids) -> Vec<Marker> {
    let marker = |(name, marker): (&String, &crate::connector::profile::plant::PlantMarker)| Marker {
        name: name.clone(),
        kind: marker.kind,
        field: marker.field.clone(),
        hidden: marker.hidden,
        value: value(marker.kind, ids),
        into: None,
    };
    plant.markers.iter().map(marker).collect()
}

/// The values by name, for the holes of `[plant]`.
#[must_use]
pub fn by_name(markers: &[Marker]) -> BTreeMap<String, String> {
    markers.iter().map(|marker| (marker.name.clone(), marker.value.clone())).collect()
}

/// Fresh values for a person to type in, each with where: the fields that profile and policy share, and secrets beside.
#[must_use]
pub fn to_type_in(policy: &Policy, profile: &Profile, ids: &Ids) -> Vec<Marker> {
    let mut markers = Vec::new();
    for field in &policy.fields {
        let kind = match (&field.kind, field.key.as_str()) {
            _ if profile.sources(field.entity, &field.name).is_empty() => continue,
            (FieldKind::Text { chars_max }, _) if *chars_max >= 19 => MarkerKind::Name,
            (FieldKind::Email, _) => MarkerKind::Email,
            (FieldKind::Phone, _) => MarkerKind::Phone,
            _ => continue,
        };
        let whose = if field.key.starts_with("company.") {
            "the company of the test person"
        } else {
            "the test person"
        };
        markers.push(Marker {
            name: field.key.replace('.', "_"),
            kind,
            field: Some(field.key.clone()),
            hidden: None,
            value: value(kind, ids),
            into: Some(format!("{}, field \"{}\"", whose, field.caption(crate::policy::Language::En))),
        });
    }
    for (name, kind, hidden, into) in [
        ("deal", MarkerKind::Text, Secrecy::Deals, "the title of a deal of the test person"),
        ("price", MarkerKind::Amount, Secrecy::Money, "the amount of that deal"),
        (
            "iban",
            MarkerKind::Iban,
            Secrecy::Accounts,
            "a bank account, or any text field about payment, of the test person or company",
        ),
        ("note", MarkerKind::Text, Secrecy::Notes, "a note at the test person"),
        (
            "other",
            MarkerKind::Text,
            Secrecy::Other,
            "the street, or any field of the test person that the policy does not list",
        ),
    ] {
        markers.push(Marker {
            name: name.to_owned(),
            kind,
            field: None,
            hidden: Some(hidden),
            value: value(kind, ids),
            into: Some(into.to_owned()),
        });
    }
    markers
}

fn value(kind: MarkerKind, ids: &Ids) -> String {
    match kind {
        MarkerKind::Text => format!("mark{}", drawn(LETTERS, TEXT_LETTERS, ids)),
        MarkerKind::Name => format!("{} {}", capital(&spoken(4, ids)), capital(&spoken(5, ids))),
        MarkerKind::Email => format!("{}@{}.example", spoken(5, ids), spoken(5, ids)),
        MarkerKind::Phone => format!("+3512{}", drawn(b"0123456789", 8, ids)),
        // No zero at the end, so that the shortest spelling has all digits.
        MarkerKind::Amount => {
            format!(
                "{}{}.{}",
                drawn(b"123456789", 1, ids),
                drawn(b"0123456789", 7, ids),
                drawn(b"123456789", 2, ids)
            )
        }
        MarkerKind::Iban => iban(&drawn(b"0123456789", 18, ids)),
    }
}

fn drawn(letters: &[u8], count: usize, ids: &Ids) -> String {
    let one = |_| {
        let place = usize::try_from(ids.below(letters.len() as u64)).unwrap_or(0);
        letters.get(place).map_or('x', |byte| char::from(*byte))
    };
    (0..count).map(one).collect()
}

/// A word that one can say, so that no rule takes it for a key.
fn spoken(syllables: usize, ids: &Ids) -> String {
    (0..syllables).map(|_| drawn(CONSONANTS, 1, ids) + &drawn(VOWELS, 1, ids)).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A German account number with its check digits (ISO 13616, ISO 7064 mod 97-10).
fn iban(account: &str) -> String {
    // D and E count as 13 and 14.
    let rest = format!("{account}131400")
        .bytes()
        .fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{account}", 98 - rest)
}

#[cfg(test)]
mod tests {
    use service_kit::Clock;

    use super::*;

    #[test]
    fn the_check_digits_are_those_of_the_published_example() {
        assert_eq!(iban("370400440532013000"), "DE89370400440532013000");
    }

    #[test]
    fn every_kind_of_marker_is_long_enough_to_be_found_and_differs_each_time() {
        let ids = Ids::seeded(Clock::system(), 1);
        for kind in [
            MarkerKind::Text,
            MarkerKind::Name,
            MarkerKind::Email,
            MarkerKind::Phone,
            MarkerKind::Amount,
            MarkerKind::Iban,
        ] {
            let values: std::collections::BTreeSet<String> = (0..200).map(|_| value(kind, &ids)).collect();
            assert_eq!(values.len(), 200, "{kind:?}");
            let marker = Marker {
                name: "m".to_owned(),
                kind,
                field: None,
                hidden: Some(Secrecy::Other),
                value: values.into_iter().next().unwrap(),
                into: None,
            };
            assert!(marker.spellings().len() > 5, "{kind:?}: {}", marker.value);
        }
    }
}
