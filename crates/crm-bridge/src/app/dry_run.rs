//! `policy dry-run`: what would come through of the CRM's records as they are, in numbers. Never a value.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::app::field_labels::{self, Judged};
use crate::connector::Connector;
use crate::connector::ask::Question;
use crate::connector::trouble::Trouble;
use crate::policy::value::{PhoneRules, Reading, Reason, read};
use crate::policy::{Entity, Policy};
use crate::walls::Walls;

/// What became of one field in all records.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct FieldCount {
    /// Records that had the member at all, be it empty.
    pub present: u64,
    /// Records in which the CRM sent something.
    pub sent: u64,
    /// Records in which it passed.
    pub passed: u64,
    /// Records in which it was withheld, by reason.
    pub withheld: BTreeMap<&'static str, u64>,
    /// Those of them in which the value looked like money, an account or a key, by shape.
    pub tripwires: BTreeMap<&'static str, u64>,
}

/// The whole report.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Records without an id that the bridge can use: nobody of these can be shown.
    pub without_id: u64,
    /// By field key.
    pub fields: BTreeMap<String, FieldCount>,
    /// Members that came although nobody asked for them.
    pub unexpected: u64,
    /// Names of those that are on the deny lexicon, and how often each came.
    pub over_shared: BTreeMap<String, u64>,
    /// Why reading ended before the wanted number: the CRM had enough, or no more records.
    pub stopped: Option<&'static str>,
    /// What the CRM calls the fields, and what speaks against them; none if it was not asked.
    pub labels: Option<Judged>,
}

/// The report for programs: the output of `policy dry-run --format json`. Members are only ever added.
#[derive(Debug, Serialize)]
struct Document<'a> {
    format: u32,
    crm: &'a str,
    policy_number: u32,
    policy_sha256: &'a str,
    #[serde(flatten)]
    report: &'a Report,
    /// Listed fields of which this CRM has nothing.
    not_in_crm: Vec<&'a str>,
    /// Fields that no record had a member for, not even an empty one.
    never_sent: Vec<&'a str>,
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
        let found = match connector.ask(Question::Page { entity: Entity::Person, size, mark }).await {
            Ok(found) => found,
            // What was read so far is worth a report.
            Err(trouble) if report.records > 0 => {
                report.stopped = Some(trouble.as_str());
                break;
            }
            Err(trouble) => return Err(trouble),
        };
        let left = usize::try_from(count - report.records).unwrap_or(usize::MAX);
        for record in found.records.iter().take(left) {
            report.records += 1;
            report.without_id += u64::from(record.id.is_none());
            for (position, raw) in &record.values {
                let Some(field) = policy.fields.get(*position) else { continue };
                let counts = report.fields.entry(field.key.clone()).or_default();
                counts.present += u64::from(record.was_sent(*position));
                match read(field, raw, phones, Walls::standing()) {
                    Reading::Absent => continue,
                    Reading::Value(_) => counts.passed += 1,
                    Reading::Withheld(reason) => {
                        *counts.withheld.entry(reason.as_str()).or_default() += 1;
                        if let Reason::Shape(shape) = reason {
                            *counts.tripwires.entry(shape.as_str()).or_default() += 1;
                        }
                    }
                }
                counts.sent += 1;
            }
        }
        next = found.next.clone().filter(|_| !found.records.is_empty()).map(Some);
    }
    report.labels = field_labels::judge(connector, policy).await.ok();
    report.unexpected = connector.watch().unexpected_count();
    report.over_shared = connector.watch().over_shared_counts().into_iter().collect();
    Ok(report)
}

impl Report {
    /// As JSON, indented.
    ///
    /// # Errors
    /// Never with these types; serde_json wants it.
    pub fn json(&self, policy: &Policy, crm: &str) -> serde_json::Result<String> {
        let absent = policy.fields.iter().filter(|field| !self.fields.contains_key(&field.key));
        serde_json::to_string_pretty(&Document {
            format: 1,
            crm,
            policy_number: policy.number,
            policy_sha256: policy.hash().as_str(),
            report: self,
            not_in_crm: absent.map(|field| field.key.as_str()).collect(),
            never_sent: self.never_sent(policy),
        })
    }

    /// Fields that no record had a member for, in the order of the policy.
    #[must_use]
    pub fn never_sent<'a>(&self, policy: &'a Policy) -> Vec<&'a str> {
        let is_never_sent =
            |key: &str| self.records > 0 && self.fields.get(key).is_some_and(|counts| counts.present == 0);
        policy.fields.iter().map(|field| field.key.as_str()).filter(|key| is_never_sent(key)).collect()
    }

    /// As text, in the order of the policy.
    #[must_use]
    pub fn text(&self, policy: &Policy, crm: &str) -> String {
        let mut text = format!("{} records read from {crm}; no value is printed\n\n", self.records);
        if let Some(why) = self.stopped {
            let _ = writeln!(text, "stopped early, the CRM could not be asked for more: {why}\n");
        }
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
        let never = self.never_sent(policy);
        if !never.is_empty() {
            let _ = writeln!(
                text,
                "\nasked for and never sent, not even empty: {}\nthe CRM hides these from the bridge's user, or the profile looks in the wrong place",
                never.join(", ")
            );
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
        if let Some(judged) = &self.labels {
            let _ = writeln!(text, "{}", judged.sentence());
            for remark in judged.remarks() {
                let weight = if remark.refused { "refused" } else { "note" };
                let _ = writeln!(text, "{weight}: {}", remark.message);
            }
        }
        let caught: u64 = self.fields.values().flat_map(|field| field.tripwires.values()).sum();
        if caught > 0 {
            let _ = writeln!(
                text,
                "{caught} values looked like money, an account, an identity number or a key: is each field what its name says?"
            );
        }
        if !self.over_shared.is_empty() {
            let members: Vec<String> =
                self.over_shared.iter().map(|(name, count)| format!("{name} {count}")).collect();
            let _ = writeln!(text, "over-sharing: the CRM sent {}", members.join(", "));
            text.push_str("give the bridge's CRM user fewer rights, if the CRM can do that\n");
        }
        text
    }
}
