//! Heads as the contract between the services carries them.

use audit_chain::{Head, Seen, SignedHead};
use bridge_contract::{AsOf, AuditHead, AuditPlace, Bytes32, ChainName, SignatureText};
use service_kit::Timestamp;

/// For the wire. None if a member does not fit the contract, which no log of ours makes.
#[must_use]
pub fn to_wire(signed: &SignedHead) -> Option<AuditHead> {
    let place = |seen: &Seen| {
        Some(AuditPlace {
            chain: ChainName::new(&seen.chain).ok()?,
            seq: u64::try_from(seen.seq).ok()?,
            hash: Bytes32::new(seen.hash.to_string()).ok()?,
        })
    };
    let seen = match &signed.head.seen {
        None => None,
        Some(seen) => Some(place(seen)?),
    };
    Some(AuditHead {
        place: place(&signed.head.place)?,
        at: AsOf::new(Timestamp::from_ms(signed.head.at_ms).to_string()).ok()?,
        seen,
        key: Bytes32::new(signed.key.to_string()).ok()?,
        signature: SignatureText::new(signed.signature.to_string()).ok()?,
    })
}

/// From the wire: the head of this service. None if a number is too large. The signature is not checked here.
#[must_use]
pub fn from_wire(service: &str, head: &AuditHead) -> Option<SignedHead> {
    let place = |place: &AuditPlace| {
        Some(Seen {
            chain: place.chain.as_str().to_owned(),
            seq: i64::try_from(place.seq).ok()?,
            hash: place.hash.as_str().parse().ok()?,
        })
    };
    let seen = match &head.seen {
        None => None,
        Some(seen) => Some(place(seen)?),
    };
    let at_ms = head.at.as_str().parse::<Timestamp>().ok()?.ms();
    Some(SignedHead {
        head: Head { service: service.to_owned(), place: place(&head.place)?, at_ms, seen },
        key: head.key.as_str().parse().ok()?,
        signature: head.signature.as_str().parse().ok()?,
    })
}
