//! What the copy of the customer base knows, where the policy asks for one.

use db_kit::DbError;
use service_kit::Timestamp;

use super::sync::{copy_bond, short};
use super::{Bridge, Readings};
use crate::store::SealedCard;
use crate::store::sync::mirror::Kept;
use crate::store::vault::AddressHash;

/// Rows that are looked at for one address.
const ROWS_MAX: usize = 20;

/// A customer out of the copy.
pub(super) struct Copied {
    /// The CRM's id.
    pub(super) crm_id: String,
    /// The values.
    pub(super) readings: Readings,
    /// Until when they are known to be true.
    pub(super) as_of: Timestamp,
    /// When the CRM gave them.
    read_at: Timestamp,
}

impl Bridge {
    /// Until when the copy is true, if there is a complete one, and whether that is fresh enough not to ask the CRM.
    pub(super) fn copy_state(&self) -> Option<(Timestamp, bool)> {
        let sync = self.sync.as_ref().filter(|_| self.policy.copy.is_some())?;
        let as_of = sync.copy_as_of()?;
        let fresh_ms = self.cache.fresh_ms.max(sync.settings.interval_ms * 2);
        let is_fresh = self.clock.now().since_ms(as_of) < fresh_ms && !self.companies_change_unseen();
        Some((as_of, is_fresh))
    }

    /// The customer of that id, if the copy has it. A copy that can't be read is as good as none.
    pub(super) async fn copied(&self, crm_id: &str) -> Option<Copied> {
        let (as_of, _) = self.copy_state()?;
        let row = self.sync.as_ref()?.store.row(crm_id).await.ok()??;
        self.open_row(row, as_of)
    }

    /// The customers with that address, if there is a complete copy.
    pub(super) async fn copied_at(&self, address: &AddressHash) -> Option<Vec<Copied>> {
        let (as_of, _) = self.copy_state()?;
        let rows = self.sync.as_ref()?.store.find_rows(short(address.bytes()), ROWS_MAX).await.ok()?;
        Some(rows.into_iter().filter_map(|row| self.open_row(row, as_of)).collect())
    }

    /// Those of them of whom nothing else is known since they were read: the copy brings back nobody who was erased or merged.
    ///
    /// # Errors
    /// [`DbError`].
    pub(super) async fn still_there(&self, mut copied: Vec<Copied>) -> Result<Vec<Copied>, DbError> {
        let read = copied.iter().map(|copied| (copied.crm_id.clone(), copied.read_at)).collect();
        let left = self.store.left_since(self.source().to_owned(), read).await?;
        copied.retain(|copied| !left.contains(&copied.crm_id));
        Ok(copied)
    }

    /// Somebody is not there any more, so the copy does not have them either.
    ///
    /// # Errors
    /// [`DbError`].
    pub(super) async fn leave_copy(&self, crm_id: &str) -> Result<(), DbError> {
        match self.sync.as_ref().filter(|_| self.policy.copy.is_some()) {
            Some(sync) => sync.store.remove_rows(vec![crm_id.to_owned()]).await,
            None => Ok(()),
        }
    }

    fn open_row(&self, row: Kept, confirmed: Timestamp) -> Option<Copied> {
        let Kept { crm_id, sealed, policy_hash, as_of } = row;
        let card = SealedCard { sealed, policy_hash, as_of };
        let readings = self.open_whatever_age(&card, &copy_bond(&crm_id))?;
        Some(Copied { crm_id, readings, as_of: as_of.max(confirmed), read_at: as_of })
    }
}
