//! Whether the CRM at the configured address is the one whose ids this database holds. In another one, a sandbox or the
//! company's next CRM, the same ids may be other people's, and every old ticket would show the wrong customer.

use super::Bridge;
use crate::connector::profile::digest;
use crate::store::crm_address::CrmAddress;

/// Why the bridge must not ask this CRM.
#[derive(Debug, thiserror::Error)]
pub enum OtherCrm {
    /// It is at another address than before.
    #[error(
        "the database knows customers of the CRM at {known}, and crm.base_url leads to another address now, at {now}. There the same \
         ids may be other people's. If the same CRM has moved, say so: crm.moved_from = \"{known}\". If it is another CRM or a \
         sandbox, use another database"
    )]
    Elsewhere {
        /// Host and port as they were.
        known: String,
        /// Host and port as they are.
        now: String,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] db_kit::DbError),
}

/// Compares the CRM's address with the one at which its customers were met, and notes it if there was none. `moved_from` is
/// the host of which the settings say that the CRM has moved from there.
///
/// # Errors
/// [`OtherCrm`]; then the bridge must not start.
pub async fn check(bridge: &Bridge, base: &url::Url, moved_from: &str) -> Result<(), OtherCrm> {
    let (source, now) = (bridge.source().to_owned(), address_of(base));
    let known = bridge.store.crm_address(source.clone()).await?;
    let Some(known) = known else {
        bridge.store.note_crm_address(source, now, bridge.clock.now()).await?;
        return Ok(());
    };
    if known.address == now.address {
        return Ok(());
    }
    if known.host != moved_from.trim() && bridge.store.knows_anybody(source.clone()).await? {
        return Err(OtherCrm::Elsewhere { known: known.host, now: now.host });
    }
    let event = bridge.event("system", "crm.moved").with("profile", &source);
    let event = event.with("from", &known.host).with("to", &now.host);
    bridge.store.note_crm_address(source, now, bridge.clock.now()).await?;
    Ok(bridge.store.record(event).await?)
}

/// The host of an address, with its port if that is not the usual one.
#[must_use]
pub fn host_of(base: &url::Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A slash at the end makes no other address.
fn address_of(base: &url::Url) -> CrmAddress {
    let host = host_of(base);
    let whole = format!("{}://{host}{}", base.scheme(), base.path().trim_end_matches('/'));
    CrmAddress { host, address: digest::sha256(whole.as_bytes()) }
}
