//! The list of values that must never leave this CRM, for the isolation suite.

use serde::Serialize;

use crate::generate::is_marker;
use crate::model::Records;

/// Field names that must not turn up on the other side either.
pub const SENSITIVE_FIELDS: &[&str] = &[
    "annual_revenue",
    "birthday",
    "close_date",
    "credit_limit",
    "credit_rating",
    "deals",
    "iban",
    "invoices",
    "lead_score",
    "lead_source",
    "lifecycle_stage",
    "next_step",
    "outstanding_balance",
    "owner_id",
    "payment_terms_days",
    "pipeline",
    "probability",
    "quota",
    "tax_number",
];

/// One value to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// `text`, `amount`, `iban` or `phone`.
    pub kind: &'static str,
    /// Where it stands, as `record.field`.
    pub field: &'static str,
    /// The record it stands in.
    pub record: String,
    /// The characters to look for.
    pub value: String,
}

/// What `--markers FILE` writes.
#[derive(Clone, Debug, Serialize)]
pub struct MarkerList {
    /// Names that must not turn up.
    pub fields: &'static [&'static str],
    /// Values that must not turn up.
    pub markers: Vec<Marker>,
}

/// Collects every marker from the records.
pub fn collect(records: &Records) -> MarkerList {
    let mut list = Collector(Vec::new());
    for contact in records.contacts.values() {
        for tag in &contact.tags {
            list.text("contact.tags", &contact.id, tag);
        }
    }
    for company in records.companies.values() {
        let id = &company.id;
        list.add("amount", "company.annual_revenue", id, &company.annual_revenue);
        list.add("amount", "company.credit_limit", id, &company.credit_limit);
        list.add("amount", "company.outstanding_balance", id, &company.outstanding_balance);
        list.text("company.tax_number", id, &company.tax_number);
        list.text("company.credit_rating", id, &company.credit_rating);
        list.add("iban", "company.iban", id, &company.iban);
    }
    for deal in records.deals.values() {
        list.text("deal.title", &deal.id, &deal.title);
        list.text("deal.pipeline", &deal.id, &deal.pipeline);
        list.text("deal.stage", &deal.id, &deal.stage);
        list.text("deal.next_step", &deal.id, &deal.next_step);
        list.add("amount", "deal.amount", &deal.id, &deal.amount);
    }
    for invoice in records.invoices.values() {
        list.text("invoice.number", &invoice.id, &invoice.number);
        list.text("invoice.purpose", &invoice.id, &invoice.purpose);
        list.add("amount", "invoice.amount", &invoice.id, &invoice.amount);
        list.add("iban", "invoice.iban", &invoice.id, &invoice.iban);
    }
    for note in records.notes.values() {
        list.text("note.text", &note.id, &note.text);
    }
    for owner in records.owners.values() {
        list.text("owner.name", &owner.id, &owner.name);
        list.text("owner.email", &owner.id, &owner.email);
        list.text("owner.team", &owner.id, &owner.team);
        list.add("phone", "owner.phone", &owner.id, &owner.phone);
        list.add("amount", "owner.quota", &owner.id, &owner.quota);
    }
    MarkerList { fields: SENSITIVE_FIELDS, markers: list.0 }
}

struct Collector(Vec<Marker>);

impl Collector {
    fn add(&mut self, kind: &'static str, field: &'static str, record: &str, value: &impl ToString) {
        self.0.push(Marker { kind, field, record: record.to_owned(), value: value.to_string() });
    }

    /// Only the marker itself: the believable words around it may turn up anywhere.
    fn text(&mut self, field: &'static str, record: &str, value: &str) {
        let parts = value.split(|character: char| !character.is_ascii_alphanumeric());
        for marker in parts.filter(|part| is_marker(part)) {
            self.add("text", field, record, &marker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generate::{Recipe, generate};

    #[test]
    fn every_marker_is_unique_and_stands_in_exactly_one_record() {
        let today = jiff::civil::date(2026, 11, 21);
        let records = generate(Recipe { seed: 3, customers: 60, marked: true, today });
        let list = collect(&records);
        let values: BTreeSet<_> = list.markers.iter().map(|marker| &marker.value).collect();
        assert_eq!(values.len(), list.markers.len());
        let expected = records.contacts.len()
            + 6 * records.companies.len()
            + 5 * records.deals.len()
            + 4 * records.invoices.len()
            + records.notes.len()
            + 5 * records.owners.len();
        assert_eq!(list.markers.len(), expected);
        let all = serde_json::to_string(&records).unwrap();
        for marker in &list.markers {
            assert_eq!(all.matches(marker.value.as_str()).count(), 1, "{marker:?}");
        }
    }
}
