//! Everything that can go wrong for a caller.

use db_kit::DbError;

use crate::connector::trouble::Trouble;
use crate::oversight::budget::Verdict;

/// Why a question was not answered. Becomes a problem in `http`.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The grant is for something else than what was asked.
    #[error("the grant does not cover the question: {0}")]
    GrantRefused(&'static str),
    /// A resolve without a usable address or number.
    #[error("the question has no usable mail address or phone number")]
    LookupMissing,
    /// No such customer, or never resolved for this ticket.
    #[error("the customer is not known for this ticket")]
    CustomerUnknown,
    /// The CRM has erased the customer.
    #[error("the customer has been erased")]
    CustomerErased,
    /// This role may not have this field in clear.
    #[error("the field may not be shown in clear to this role")]
    FieldNotRevealable,
    /// The operator has looked at as many customers as allowed; when the next may be looked at, in milliseconds.
    #[error("the viewing budget is spent for another {wait_ms} ms")]
    BudgetSpent {
        /// Which of the budgets.
        verdict: Verdict,
        /// Until the hour or the day ends.
        wait_ms: i64,
    },
    /// All operators together have looked at as many customers in this hour as allowed.
    #[error("the ceiling over all operators is reached for another {wait_ms} ms")]
    CeilingReached {
        /// Until the hour ends.
        wait_ms: i64,
    },
    /// There is no such notice.
    #[error("there is no such notice")]
    NoticeUnknown,
    /// A supervisor wants to acknowledge what they did themselves.
    #[error("the notice is about the supervisor themselves")]
    OwnNotice,
    /// The CRM can't be asked, and what is kept does not help.
    #[error("the CRM can't be asked: {}", .0.as_str())]
    CrmUnavailable(Trouble),
    /// Heads of the two audit logs do not fit each other.
    #[error("the heads of the audit logs do not fit: {0}")]
    AuditConflict(&'static str),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Something that cannot be.
    #[error("internal: {0}")]
    Internal(&'static str),
}
