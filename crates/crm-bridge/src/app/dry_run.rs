//! `policy dry-run`: what would come through of the CRM's records as they are, in numbers. Never a value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::connector::Connector;
use crate::connector::ask::Question;
use crate::connector::trouble::Trouble;
use crate::policy::value::{PhoneRules, Reading, read};
use crate::policy::{Entity, Policy};
use crate::walls::Walls;

/// What became of one field in all records.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FieldCount {
    /// Records in which the CRM sent something.
    pub sent: u64,
    /// Records in which it passed.
    pub passed: u64,
    /// Records in which it was withheld, by reason.
    pub withheld: BTreeMap<&'static str, u64>,
}

/// The whole report.
#[derive(Debug, Default)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Records without an id that the bridge can use: nobody of these can be shown.
    pub without_id: u64,
    /// By field key.
    pub fields: BTreeMap<String, FieldCount>,
    /// Members that came although nobody asked for them.
    pub unexpected: u64,
    /// Names of those that are on the deny lexicon.
    pub over_shared: Vec<String>,
}

/// Reads `count` live records, in pages, and counts.
///
/// # Errors
/// [`Trouble`], if the CRM can't be asked.
pub async fn dry_run(
    connector: &Connector,
    policy: &Policy,
    phones: &PhoneRules,
    count: u64,
) -> Result<Report, Trouble> {
    let profile = connector.profile();
    let page = profile.paging_of(&profile.person.page).size_max;
    let mut report = Report::default();
    // The same size for all pages: with another one a page by number would begin elsewhere.
    let size = u16::try_from(count).unwrap_or(u16::MAX).min(page);
    let mut next = Some(None);
    while let Some(mark) = next.take().filter(|_| report.records < count) {
        let found = connector.ask(Question::Page { entity: Entity::Person, size, mark }).await?;
        let left = usize::try_from(count - report.records).unwrap_or(usize::MAX);
        for record in found.records.iter().take(left) {
            report.records += 1;
            report.without_id += u64::from(record.id.is_none());
            for (position, raw) in &record.values {
                let Some(field) = policy.fields.get(*position) else { continue };
                let counts = report.fields.entry(field.key.clone()).or_default();
                match read(field, raw, phones, Walls::standing()) {
                    Reading::Absent => continue,
                    Reading::Value(_) => counts.passed += 1,
                    Reading::Withheld(reason) => *counts.withheld.entry(reason.as_str()).or_default() += 1,
                }
                counts.sent += 1;
            }
        }
        next = found.next.clone().filter(|_| !found.records.is_empty()).map(Some);
    }
    report.unexpected = connector.watch().unexpected_count();
    report.over_shared = connector.watch().over_shared_names();
    Ok(report)
}

impl Report {
    /// As text, in the order of the policy.
    #[must_use]
    pub fn text(&self, policy: &Policy, crm: &str) -> String {
        let mut text = format!("{} records read from {crm}; no value is printed\n\n", self.records);
        let _ = writeln!(text, "{:<28}{:>8}{:>8}{:>10}", "field", "sent", "passed", "withheld");
        for field in &policy.fields {
            let Some(counts) = self.fields.get(&field.key) else {
                let _ = writeln!(text, "{:<28}{:>26}", field.key, "not in this CRM");
                continue;
            };
            let withheld: u64 = counts.withheld.values().sum();
            let reasons: Vec<String> =
                counts.withheld.iter().map(|(why, count)| format!("{why} {count}")).collect();
            let row = format!(
                "{:<28}{:>8}{:>8}{withheld:>10}  {}",
                field.key,
                counts.sent,
                counts.passed,
                reasons.join(", ")
            );
            let _ = writeln!(text, "{}", row.trim_end());
        }
        if self.without_id > 0 {
            let _ = writeln!(
                text,
                "\n{} records have no id that can be used; they are never shown",
                self.without_id
            );
        }
        let _ = writeln!(
            text,
            "\n{} members came that nobody asked for; they were skipped unread",
            self.unexpected
        );
        if !self.over_shared.is_empty() {
            let _ = writeln!(text, "over-sharing: the CRM sent {}", self.over_shared.join(", "));
            text.push_str("give the bridge's CRM user fewer rights, if the CRM can do that\n");
        }
        text
    }
}
