//! Typed values between CRM, cache and view: from a record through wall 3, into the cache and out again.

use serde::{Deserialize, Serialize};
use service_kit::Timestamp;
use zeroize::Zeroizing;

use super::Bridge;
use super::packed::{Packed, unpack};
use crate::connector::projection::Record;
use crate::policy::value::{RawScalar, Reading, Typed, TypedValue, read, typed};
use crate::store::SealedCard;
use crate::store::vault::{Bond, is_sealed};
use crate::walls::Wall;

/// The typed values of one customer, by position of the field in the policy.
pub struct Readings {
    /// What became of each listed field.
    pub fields: Vec<(usize, Reading)>,
    /// Positions of those above that the CRM did not send at all, not even empty.
    pub not_sent: Vec<usize>,
    /// What came past wall 2 when a test took it away.
    #[cfg(feature = "sabotage")]
    pub unlisted: Vec<(String, String)>,
}

impl Readings {
    /// Takes what the CRM did not send from what it sent before: it leaves out what it hides, and a page of people comes
    /// without their companies. True if anything was taken; then the whole is as old as the older part.
    pub(super) fn fill_from(&mut self, older: Self) -> bool {
        let mut filled = false;
        for (position, reading) in older.fields {
            if matches!(reading, Reading::Absent) {
                continue;
            }
            match self.fields.iter_mut().find(|(known, _)| *known == position) {
                Some((_, newer)) if self.not_sent.contains(&position) => *newer = reading,
                Some(_) => continue,
                None => self.fields.push((position, reading)),
            }
            filled = true;
        }
        self.fields.sort_by_key(|(position, _)| *position);
        filled
    }
}

/// Room for most cards, so that no half-written one is left behind in memory when it grows.
const CARD_BYTES: usize = 2_048;

/// One value as it lies sealed in the cache: owned when it is opened, borrowed when it is sealed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Debug, Clone, PartialEq))]
pub(super) enum KeptValue<Text> {
    #[serde(rename = "t", alias = "text")]
    Text(Text),
    #[serde(rename = "f", alias = "flag")]
    Flag(bool),
    #[serde(rename = "a", alias = "absent")]
    Absent(()),
    #[serde(rename = "w", alias = "withheld")]
    Withheld(()),
}

#[derive(Serialize, Deserialize)]
struct KeptCard<Key, Text> {
    /// Key of the field and what is kept of it.
    fields: Vec<(Key, KeptValue<Text>)>,
    #[cfg(feature = "sabotage")]
    unlisted: Vec<(String, String)>,
}

impl Bridge {
    /// Wall 3 for a record that just came from the CRM.
    pub(super) fn type_record(&self, record: &Record) -> Readings {
        let mut fields: Vec<(usize, Reading)> = record
            .values
            .iter()
            .filter_map(|(position, raw)| {
                let field = self.policy.fields.get(*position)?;
                let reading = read(field, raw, &self.phones, self.walls);
                if let Reading::Withheld(reason) = reading {
                    self.metrics.withheld(&field.key, reason);
                }
                Some((*position, reading))
            })
            .collect();
        // What came with a company of its own stands behind what the person has.
        fields.sort_by_key(|(position, _)| *position);
        Readings {
            fields,
            not_sent: record.not_sent.clone(),
            #[cfg(feature = "sabotage")]
            unlisted: record.unlisted.clone(),
        }
    }

    pub(super) fn seal(
        &self,
        readings: &Readings,
        customer_ref: &str,
        as_of: Timestamp,
    ) -> Option<SealedCard> {
        let fields = readings.fields.iter().filter_map(|(position, reading)| {
            let key = self.policy.fields.get(*position)?.key.as_str();
            let value = match reading {
                // Not known to be empty.
                Reading::Absent if readings.not_sent.contains(position) => return None,
                Reading::Value(TypedValue::Flag(flag)) => KeptValue::Flag(*flag),
                Reading::Value(value) => KeptValue::Text(value.text()?),
                Reading::Withheld(_) => KeptValue::Withheld(()),
                Reading::Absent => KeptValue::Absent(()),
            };
            Some((key, value))
        });
        let card = KeptCard {
            fields: fields.collect(),
            #[cfg(feature = "sabotage")]
            unlisted: readings.unlisted.clone(),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(CARD_BYTES));
        serde_json::to_writer(&mut *plain, &card).ok()?;
        let sealed = self.sealed(&plain, customer_ref, as_of)?;
        Some(SealedCard { sealed, policy_hash: self.plan_name().to_owned(), as_of })
    }

    /// Wall 3 and the seal at once, for a row of the copy: on the way nothing is made of a value but its bytes in `packed`.
    pub(super) fn seal_copied(
        &self,
        record: &Record,
        bond: &str,
        as_of: Timestamp,
        packed: &mut Packed,
    ) -> Option<Vec<u8>> {
        #[cfg(feature = "sabotage")]
        if !record.unlisted.is_empty() {
            return Some(self.seal(&self.type_record(record), bond, as_of)?.sealed);
        }
        packed.begin();
        for (position, raw) in &record.values {
            let Some(field) = self.policy.fields.get(*position) else { continue };
            let typed = typed(field, raw, &self.phones, self.walls);
            let value = match &typed {
                // Not known to be empty.
                Typed::Absent if record.not_sent.contains(position) => continue,
                Typed::Absent => KeptValue::Absent(()),
                Typed::Flag(flag) => KeptValue::Flag(*flag),
                Typed::Text(text) => KeptValue::Text(&**text),
                Typed::Withheld(reason) => {
                    self.metrics.withheld(&field.key, *reason);
                    KeptValue::Withheld(())
                }
            };
            packed.field(*position, &value);
        }
        self.sealed(packed.bytes(), bond, as_of)
    }

    fn sealed(&self, plain: &[u8], customer_ref: &str, as_of: Timestamp) -> Option<Vec<u8>> {
        let bond = Bond { customer_ref, as_of, policy: self.plan_name() };
        let sealed = self.vault.seal(plain, bond, &self.ids)?;
        if !is_sealed(&sealed) && self.walls.stands(Wall::Unsealed) {
            tracing::error!(
                "a card came out of the seal unsealed and is not kept; this is a fault of the bridge"
            );
            return None;
        }
        Some(sealed)
    }

    /// A kept card, if it can be opened and is not too old. Every value goes through wall 3 again, so that a policy
    /// that was narrowed since then holds for what was kept before.
    pub(super) fn open(&self, card: &SealedCard, customer_ref: &str) -> Option<Readings> {
        if self.clock.now().since_ms(card.as_of) > self.cache.age_max_ms && self.walls.stands(Wall::Age) {
            return None;
        }
        self.open_whatever_age(card, customer_ref)
    }

    /// The same for values that something else than their age vouches for.
    pub(super) fn open_whatever_age(&self, card: &SealedCard, customer_ref: &str) -> Option<Readings> {
        if !self.connector.plans().reads_as(&card.policy_hash) {
            // A mapping that was corrected since took other members for these fields.
            return None;
        }
        let bond = Bond { customer_ref, as_of: card.as_of, policy: &card.policy_hash };
        let plain = self.vault.open(&card.sealed, bond)?;
        let kept = self.kept_values(&plain, &card.policy_hash)?;
        let mut fields: Vec<(usize, Reading)> = kept
            .fields
            .into_iter()
            .filter_map(|(position, value)| {
                let field = self.policy.fields.get(position)?;
                let reading = match value {
                    KeptValue::Text(text) => {
                        read(field, &RawScalar::Text(text.into()), &self.phones, self.walls)
                    }
                    KeptValue::Flag(flag) => read(field, &RawScalar::Flag(flag), &self.phones, self.walls),
                    KeptValue::Absent(()) => Reading::Absent,
                    KeptValue::Withheld(()) => Reading::Withheld(crate::policy::value::Reason::WrongType),
                };
                Some((position, reading))
            })
            .collect();
        let profile = self.connector.profile();
        let missing = self.policy.fields.iter().enumerate().filter(|(position, field)| {
            fields.iter().all(|(known, _)| known != position)
                && !profile.sources(field.entity, &field.name).is_empty()
        });
        let not_sent: Vec<usize> = missing.map(|(position, _)| position).collect();
        fields.extend(not_sent.iter().map(|position| (*position, Reading::Absent)));
        fields.sort_by_key(|(position, _)| *position);
        Some(Readings {
            fields,
            not_sent,
            #[cfg(feature = "sabotage")]
            unlisted: kept.unlisted,
        })
    }

    /// What is kept by position in the policy in force.
    fn kept_values(&self, plain: &[u8], policy_hash: &str) -> Option<KeptCard<usize, Zeroizing<String>>> {
        if let Some(fields) = unpack(plain) {
            // Positions in another policy say nothing.
            return (policy_hash == self.plan_name()).then_some(KeptCard {
                fields,
                #[cfg(feature = "sabotage")]
                unlisted: Vec::new(),
            });
        }
        let card: KeptCard<String, Zeroizing<String>> = serde_json::from_slice(plain).ok()?;
        let fields = card.fields.into_iter().filter_map(|(key, value)| {
            let position = self.policy.fields.iter().position(|field| field.key == key)?;
            Some((position, value))
        });
        Some(KeptCard {
            fields: fields.collect(),
            #[cfg(feature = "sabotage")]
            unlisted: card.unlisted,
        })
    }
}
