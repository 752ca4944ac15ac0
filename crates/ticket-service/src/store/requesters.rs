//! Who asks.

use db_kit::on_both;
use diesel::prelude::*;

use crate::domain::{EmailAddress, PersonName, PhoneNumber};
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::requesters;
use crate::store::tickets::RequesterRecord;

/// The requester with this mailbox; a new one if there is none. A known requester keeps the name they have: a stranger
/// who writes somebody else's address into a form must not rename them.
pub fn find_or_insert(
    scope: &mut Scope<'_>,
    name: &PersonName,
    email: &EmailAddress,
    phone: Option<&PhoneNumber>,
) -> Result<RequesterRecord, TicketError> {
    let new = RequesterRecord {
        id: scope.new_id("rqr"),
        name: name.as_str().to_owned(),
        email: email.as_str().to_owned(),
        email_folded: email.folded(),
        phone: phone.map(|phone| phone.as_str().to_owned()),
        created_at: scope.now.ms(),
    };
    on_both!(scope.conn, |conn| diesel::insert_into(requesters::table)
        .values(&new)
        .on_conflict(requesters::email_folded)
        .do_nothing()
        .execute(conn))?;
    Ok(requesters::table
        .filter(requesters::email_folded.eq(&new.email_folded))
        .select(RequesterRecord::as_select())
        .get_result(scope.conn)?)
}
