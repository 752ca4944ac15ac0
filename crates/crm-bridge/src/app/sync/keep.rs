//! What is done with a record that the CRM gave without an operator having asked: into the copy, into the kept card of
//! somebody we know, or, if it says that the customer is gone, out of everything.

use bridge_contract::CustomerRef;
use service_kit::Timestamp;

use super::{Run, SyncError};
use crate::app::Bridge;
use crate::app::packed::Packed;
use crate::app::resolve::new_ref;
use crate::app::whereabouts::{self, Place};
use crate::connector::ask::Priority;
use crate::connector::projection::Record;
use crate::policy::Entity;
use crate::policy::form::{email_form, phone_form};
use crate::store::sync::mirror::{Row, ShortHash};
use crate::store::{Person, SealedCard};

impl Bridge {
    /// The rows of the copy for records; none for one without a usable id.
    pub(super) fn rows<'r>(&self, records: impl IntoIterator<Item = &'r Record>, now: Timestamp) -> Vec<Row> {
        let mut packed = Packed::new();
        records.into_iter().filter_map(|record| self.row(record, now, &mut packed)).collect()
    }

    fn row(&self, record: &Record, now: Timestamp, packed: &mut Packed) -> Option<Row> {
        let crm_id = record.id.clone()?;
        let sealed = self.seal_copied(record, &copy_bond(&crm_id), now, packed)?;
        let emails = record.emails.iter().filter_map(|email| email_form(email));
        let phones = record.phones.iter().filter_map(|phone| phone_form(phone, &self.phones));
        let mut addresses: Vec<ShortHash> = emails
            .map(|email| short(&self.vault.address_bytes("email", &email)))
            .chain(phones.map(|phone| short(&self.vault.address_bytes("phone", &phone))))
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        Some(Row { crm_id, sealed, as_of: now, addresses })
    }
}

/// What a row of the copy is bound to; no reference begins like this, so a row never opens as a kept card.
pub(in crate::app) fn copy_bond(crm_id: &str) -> String {
    ["copy of ", crm_id].concat()
}

/// The 63 bits of a keyed hash that the copy finds by.
pub(in crate::app) fn short(hash: &[u8]) -> ShortHash {
    let mut bytes = [0_u8; 8];
    for (to, from) in bytes.iter_mut().zip(hash) {
        *to = *from;
    }
    ShortHash(i64::from_be_bytes(bytes) & i64::MAX)
}

impl Run<'_> {
    /// Records of people as the CRM has them now: kept cards of those we know are renewed, those who are gone go.
    /// Answers the rest, which may go into the copy.
    pub(super) async fn renew<'r>(
        &mut self,
        records: &'r [Record],
        now: Timestamp,
    ) -> Result<Vec<&'r Record>, SyncError> {
        let mut alive = Vec::with_capacity(records.len());
        for record in records {
            self.done.records += 1;
            match (&record.id, &record.merged_into) {
                (Some(id), Some(into)) => self.merged(id, into, now).await?,
                (Some(id), None) if record.deleted => self.gone(id, now).await?,
                (Some(id), None) => {
                    self.taken_in(id, &record.merged_from, now).await?;
                    alive.push(record);
                }
                (None, _) => {}
            }
        }
        let ids = alive.iter().filter_map(|record| record.id.clone()).collect();
        let known = self.bridge.store.known_cards(self.source(), ids).await?;
        let mut cards: Vec<(CustomerRef, SealedCard)> = Vec::new();
        for (crm_id, customer_ref, kept) in known {
            let Some(record) = alive.iter().find(|record| record.id.as_deref() == Some(&crm_id)) else {
                continue;
            };
            let mut readings = self.bridge.type_record(record);
            let older =
                kept.and_then(|kept| Some((self.bridge.open(&kept, customer_ref.as_str())?, kept.as_of)));
            if older.is_none() && (!readings.not_sent.is_empty() || self.lacks_company(record)) {
                // What came is not the whole card, so it is asked for when somebody looks.
                continue;
            }
            let filled = older.and_then(|(older, as_of)| readings.fill_from(older).then_some(as_of));
            let as_of = filled.map_or(now, |older| older.min(now));
            let card = self.bridge.seal(&readings, customer_ref.as_str(), as_of).ok_or(SyncError::Seal)?;
            cards.push((customer_ref, card));
        }
        if !cards.is_empty() {
            self.bridge.store.keep_cards(cards).await?;
        }
        Ok(alive)
    }

    /// Whether a record names a company that is a record of its own and did not come along.
    fn lacks_company(&self, record: &Record) -> bool {
        let policy = &self.bridge.policy;
        let is_company = |position: &usize| {
            policy.fields.get(*position).is_some_and(|field| field.entity == Entity::Company)
        };
        record.company_id.is_some()
            && self.bridge.companies_change_unseen()
            && !record.values.iter().any(|(position, _)| is_company(position))
    }

    /// Single records, as the CRM has them now, into kept cards and the copy.
    pub(super) async fn take(&mut self, records: &[Record], now: Timestamp) -> Result<(), SyncError> {
        let alive = self.renew(records, now).await?;
        if self.copies() {
            let rows = self.bridge.rows(alive, now);
            let pass = self.sync.store.feed(super::people::NAME).await?.map_or(1, |feed| feed.pass);
            self.sync.store.replace_rows(None, self.bridge.plan_name(), pass, rows).await?;
        }
        Ok(())
    }

    /// The CRM says that a person is gone.
    pub(super) async fn gone(&mut self, crm_id: &str, now: Timestamp) -> Result<(), SyncError> {
        if self.copies() {
            self.sync.store.remove_rows(vec![crm_id.to_owned()]).await?;
        }
        for (_, customer_ref) in self.bridge.store.known(self.source(), vec![crm_id.to_owned()]).await? {
            self.bridge.store.erase(&customer_ref, now).await?;
            self.done.erased += 1;
            tracing::info!(customer.reference = %customer_ref, "a customer was erased, as in the CRM");
        }
        Ok(())
    }

    /// Those of the merged records that we know.
    async fn taken_in(&mut self, id: &str, merged: &[String], now: Timestamp) -> Result<(), SyncError> {
        if merged.is_empty() {
            return Ok(());
        }
        for (crm_id, _) in self.bridge.store.known(self.source(), merged.to_vec()).await? {
            self.merged(&crm_id, id, now).await?;
        }
        if self.copies() {
            let gone = merged.iter().filter(|merged| *merged != id).cloned().collect();
            self.sync.store.remove_rows(gone).await?;
        }
        Ok(())
    }

    /// The CRM says that one person's record is part of another's now.
    pub(super) async fn merged(&mut self, crm_id: &str, into: &str, now: Timestamp) -> Result<(), SyncError> {
        if crm_id == into {
            return Ok(());
        }
        if self.copies() {
            self.sync.store.remove_rows(vec![crm_id.to_owned()]).await?;
        }
        if self.bridge.store.known(self.source(), vec![crm_id.to_owned()]).await?.is_empty() {
            return Ok(());
        }
        let Some(into) = self.who_stays(crm_id, into).await? else { return Ok(()) };
        let person = Person { crm_id: into, new_ref: new_ref(self.bridge).map_err(|_| SyncError::Seal)? };
        if self.bridge.store.merge(self.source(), crm_id.to_owned(), person, now).await? {
            self.done.merged += 1;
            tracing::info!("two customers were merged, as in the CRM");
        }
        Ok(())
    }

    /// Into whom somebody was merged, by id; usually that is what the feed says. Of one who was merged or erased before it is
    /// not believed, since feeds are read again and records can name each other: then the CRM is asked. None if there is
    /// nobody to be merged into.
    async fn who_stays(&mut self, crm_id: &str, into: &str) -> Result<Option<String>, SyncError> {
        let known = self.bridge.store.customer_by_crm_id(self.source(), into.to_owned()).await?;
        if !known.is_some_and(|(_, is_gone)| is_gone) {
            return Ok(Some(into.to_owned()));
        }
        match whereabouts::of(self.bridge, crm_id, Priority::Sync).await {
            Ok(Place::With(id, _)) => Ok(Some(id)),
            Ok(Place::Here(_) | Place::Gone) => Ok(None),
            Err(trouble) if trouble.concerns_all() => Err(trouble.into()),
            Err(_) => Ok(None),
        }
    }
}
