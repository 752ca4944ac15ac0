//! What the server tells the CRM, and the only requests with which it changes anything there: what happened to a ticket, and
//! that the CRM's webhooks are wanted for longer.

use service_kit::{Secret, Timestamp};

use super::ask::{Asker, Fillings, Priority, Subscription, Ticket};
use super::auth::Credentials;
use super::client::Reply;
use super::pick::{Picked, pick};
use super::profile::Purpose;
use super::profile::answer::Literal;
use super::projection::instant_of;
use super::trouble::Trouble;
use super::{Connector, short_hash};

/// What happened to a ticket, for the customer's history in the CRM.
pub struct Activity {
    /// The CRM's id of the customer.
    pub customer_id: String,
    /// The number of the ticket.
    pub ticket_number: u64,
    /// Its subject, one line.
    pub subject: String,
    /// Its status.
    pub status: String,
    /// What happened.
    pub event: String,
    /// When.
    pub at: service_kit::Timestamp,
    /// The same for the same event, however often it is sent.
    pub key: String,
}

impl Connector {
    /// Tells the CRM what happened to a ticket, if its profile has a place for that.
    ///
    /// # Errors
    /// [`Trouble`]; whether it was told is not known after [`Trouble::Timeout`] and [`Trouble::Broken`].
    pub async fn tell(&self, activity: Activity) -> Result<(), Trouble> {
        let line = &self.0.line;
        let operation = line.profile.operation(Purpose::Activity).ok_or(Trouble::NotOffered)?;
        let fillings = line.settings.fillings();
        let record = Some(short_hash(&("activity", &activity.customer_id)));
        let ticket = Ticket {
            customer_id: zeroize::Zeroizing::new(activity.customer_id),
            number: activity.ticket_number,
            subject: zeroize::Zeroizing::new(activity.subject),
            status: activity.status,
            event: activity.event,
            at: fillings.times.write(activity.at).ok_or(Trouble::Unaskable)?,
            key: activity.key,
        };
        let asker = Asker { profile: &line.profile, fillings, walls: line.walls };
        let shape = line.profile.shape(operation);
        let make = |credentials: &Credentials| {
            asker.other(operation, Some(ticket.clone()), credentials.token.as_ref())
        };
        match self.0.guarded(operation, &shape, (Priority::Sync, record), make, |_| Ok(())).await {
            // An answer to this is not read, whatever its kind.
            Err(Trouble::NotJson) | Ok(()) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    /// Tells the CRM that its webhooks are wanted at that address for longer, as the profile's `[webhook.renew]` says. Answers until
    /// when it sends them, if it says so.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn renew_webhook(&self, address: Secret, now: Timestamp) -> Result<Option<Timestamp>, Trouble> {
        let line = &self.0.line;
        let hook = line.profile.webhook.as_ref();
        let renew = hook.and_then(|hook| hook.renew.as_ref()).ok_or(Trouble::NotOffered)?;
        let operation = renew.request.operation();
        let times = line.settings.times();
        let until = times.write(now.plus_ms(renew.lasts_ms())).ok_or(Trouble::Unaskable)?;
        let subscription = Some(Subscription { address, until });
        let fillings = Fillings { subscription, ..line.settings.fillings().clone() };
        let asker = Asker { profile: &line.profile, fillings: &fillings, walls: line.walls };
        let shape = line.profile.shape(operation);
        let make = |credentials: &Credentials| asker.other(operation, None, credentials.token.as_ref());
        // What the CRM says to this is no sign of how it answers questions.
        let about = (Priority::Sync, Some(short_hash(&"webhook")));
        let read = |answered: super::client::Answered| {
            let body = match answered.reply {
                Reply::Body(answer) => answer.bytes().to_vec(),
                Reply::Nothing => Vec::new(),
                Reply::NotFound => return Err(Trouble::Refused),
            };
            let is_good = renew.good.as_ref().is_none_or(|good| is(pick(&body, &good.at), &good.is));
            if !is_good {
                return Err(Trouble::ErrorInside);
            }
            let until = renew.until.as_ref().and_then(|at| pick(&body, at));
            Ok(until.and_then(|until| instant_of(line.profile.time.format, times.zone(), &until)))
        };
        match self.0.guarded(operation, &shape, about, make, read).await {
            // Where nothing is read of the answer, its kind does not matter.
            Err(Trouble::NotJson) if renew.good.is_none() => Ok(None),
            outcome => outcome,
        }
    }
}

fn is(found: Option<Picked>, wanted: &Literal) -> bool {
    match (found, wanted) {
        (Some(Picked::Flag(flag)), Literal::Flag(wanted)) => flag == *wanted,
        (Some(Picked::Number(number)), Literal::Number(wanted)) => number == *wanted,
        (Some(Picked::Text(text)), Literal::Text(wanted)) => *text == *wanted,
        _ => false,
    }
}
