//! What goes on the record: the closed list of deeds.

macro_rules! deeds {
    ($($(#[$doc:meta])* $deed:ident = $name:literal),+ $(,)?) => {
        /// What somebody did, as the audit log calls it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Deed {
            $($(#[$doc])* $deed),+
        }

        impl Deed {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$deed),+];

            /// The name in the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$deed => $name),+
                }
            }
        }
    };
}

deeds! {
    /// A session was started.
    SignedIn = "session.started",
    /// Somebody could not sign in.
    SignInRefused = "session.refused",
    /// A session was ended by its owner.
    SignedOut = "session.ended",
    /// Somebody changed the own password.
    PasswordChanged = "password.changed",
    /// An operator was added.
    OperatorAdded = "operator.added",
    /// An operator was changed.
    OperatorChanged = "operator.changed",
    /// An API key was made.
    ApiKeyMade = "api_key.made",
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked",
    /// A queue was added.
    QueueAdded = "queue.added",
    /// A queue was changed.
    QueueChanged = "queue.changed",
    /// A card was asked for; whether it was shown stands in the bridge's log.
    CardAsked = "card.asked",
    /// A masked field was asked for in clear.
    RevealAsked = "reveal.asked",
    /// A customer was looked up by another address.
    CustomerLookedUp = "customer.looked_up",
    /// The link between a ticket and a customer was changed.
    CustomerLinked = "customer.linked",
    /// A customer was erased from this log.
    CustomerErased = "customer.erased",
    /// Somebody read the audit log.
    AuditRead = "audit.read",
    /// Somebody took a stretch of the audit log along.
    AuditExported = "audit.exported",
    /// Somebody had the audit log checked.
    AuditVerified = "audit.verified",
    /// A head of the bridge's log.
    Countersigned = "audit.countersigned",
    /// Tickets were generated.
    Seeded = "tickets.generated",
    /// The service began to serve, with these settings.
    Started = "service.started",
    /// The service stopped.
    Stopped = "service.stopped",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_has_a_name_of_its_own() {
        let mut names: Vec<_> = Deed::ALL.iter().map(|deed| deed.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Deed::ALL.len());
        assert_eq!(Deed::Countersigned.as_str(), audit_log::chain::COUNTERSIGNED);
    }
}
