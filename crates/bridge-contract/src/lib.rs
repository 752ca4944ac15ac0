//! The narrow window: the only types that the ticket service and the CRM bridge share.
//!
//! Every type is closed. There is no map, no JSON value, no number with a fraction and no free-form member in which a
//! CRM value could ride along; unknown members are refused on both ends; every text has a length. A value that does not
//! fit can't be built, so it can't cross.

pub mod agreement;
pub mod audit;
pub mod card;
pub mod changes;
pub mod grant;
pub mod oversight;
pub mod question;
pub mod text;
pub mod ticket;

pub use agreement::{AgreedKeyId, AgreementAnswer, AgreementQuestion, KeyHalf};
pub use audit::{
    AuditAnswer, AuditHead, AuditPlace, AuditQuestion, Bytes32, ChainName, HEADS_MAX, SignatureText,
};
pub use card::{
    AsOf, CardField, CustomerCard, DateText, FIELDS_MAX, FieldKey, FieldValue, Label, Line, MASK_CHARS_MAX,
    Mask, PolicyHash, PolicyStamp, RevealedField, VALUE_CHARS_MAX,
};
pub use changes::{CHANGES_MAX, ChangeKind, ChangesAnswer, ChangesQuestion, CustomerChange};
pub use grant::{Grant, Purpose, ViewerRole};
pub use oversight::{
    Acknowledgement, BrokenGlass, BudgetState, BudgetWindow, COUNT_MAX, Count, ERASED_CUSTOMER, EntryId,
    Ground, LookAction, LookEntry, Notice, NoticeKind, OperatorBudget, OversightAnswer, OversightAsk,
    OversightFound, OversightQuestion, PAGE_ENTRIES_MAX, Reason, Spending,
};
pub use question::{
    CANDIDATES_MAX, CardQuestion, ResolveAnswer, ResolveOutcome, ResolveQuestion, RevealQuestion,
};
pub use text::{CustomerRef, LookupEmail, LookupPhone, TextError, ViewerId};
pub use ticket::{
    BridgeGrant, EventReceipt, OpenedTicket, OrderId, OrderRequester, OrderText, Rating, RequesterName,
    TicketChange, TicketEvent, TicketLine, TicketNews, TicketOrder, TicketPriority, TicketStatus,
    TicketSubject, TicketSummary,
};

/// The version of this contract. Both ends refuse another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version;

impl Version {
    /// The number on the wire.
    pub const NUMBER: u8 = 1;
}

impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(Self::NUMBER)
    }
}

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self),
            _ => Err(serde::de::Error::custom("this end speaks version 1 of the contract only")),
        }
    }
}

impl utoipa::PartialSchema for Version {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .enum_values(Some([Self::NUMBER]))
            .description(Some("The version of the contract."))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for Version {}
