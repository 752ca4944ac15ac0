//! At which address the CRM is whose ids are kept.

use db_kit::{DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::Store;
use super::schema::{crm_addresses, customers};

/// The address of a CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmAddress {
    /// Host and port, for people.
    pub host: String,
    /// SHA-256 of the whole address, hex.
    pub address: String,
}

impl Store {
    /// Where the CRM was when its first customers were met; none if none was noted.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn crm_address(&self, source: String) -> Result<Option<CrmAddress>, DbError> {
        self.database
            .read(move |conn| {
                let row = crm_addresses::table
                    .find(source)
                    .select((crm_addresses::host, crm_addresses::address))
                    .get_result::<(String, String)>(conn)
                    .optional()?;
                Ok(row.map(|(host, address)| CrmAddress { host, address }))
            })
            .await
    }

    /// Whether anybody of that CRM is known.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn knows_anybody(&self, source: String) -> Result<bool, DbError> {
        self.database
            .read(move |conn| {
                let anybody = customers::table.filter(customers::source.eq(source));
                Ok(diesel::select(diesel::dsl::exists(anybody)).get_result(conn)?)
            })
            .await
    }

    /// Notes where the CRM is.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn note_crm_address(
        &self,
        source: String,
        at: CrmAddress,
        now: Timestamp,
    ) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let values = (
                    crm_addresses::host.eq(&at.host),
                    crm_addresses::address.eq(&at.address),
                    crm_addresses::noted_at.eq(now.ms()),
                );
                on_both!(conn, |conn| diesel::insert_into(crm_addresses::table)
                    .values((crm_addresses::source.eq(&source), values))
                    .on_conflict(crm_addresses::source)
                    .do_update()
                    .set(values)
                    .execute(conn))?;
                Ok(())
            })
            .await
    }
}
