//! `profile test`: asks the configured CRM each question of its profile once, read-only, and says what came back, in
//! numbers and names of members. Never a value.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use service_kit::{Personal, Timestamp};

use crate::app::field_labels::{self, Judged};
use crate::app::sync::falls_short;
use crate::connector::ask::{PageMark, Priority, Question};
use crate::connector::profile::operation::Gives;
use crate::connector::profile::{Profile, Purpose};
use crate::connector::projection::Record;
use crate::connector::trouble::Trouble;
use crate::connector::{Connector, Found};
use crate::policy::value::{PhoneRules, normal_email, normal_phone};
use crate::policy::{Entity, Policy};

/// An address that nobody has (RFC 2606).
const NOBODY: &str = "guichet-probe@nobody.invalid";
const MONTH_MS: i64 = 30 * 24 * 3_600_000;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As the profile says.
    Good,
    /// This CRM, or its profile, has nothing of the kind.
    Skipped,
    /// Works, and a person should know.
    Note,
    /// Does not work.
    Bad,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Skipped => "-",
            Self::Note => "note",
            Self::Bad => "FAILED",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub what: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What came back, and what to do.
    pub says: String,
}

/// All checks, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing failed.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self.checks.iter().any(|check| check.verdict == Verdict::Bad)
    }

    /// As text, a line each.
    #[must_use]
    pub fn text(&self, crm: &str) -> String {
        let mut text = format!("{crm}, asked read-only; no value is printed\n\n");
        for check in &self.checks {
            let _ = writeln!(text, "{:<7} {:<22} {}", check.verdict.word(), check.what, check.says);
        }
        let failed = self.checks.iter().filter(|check| check.verdict == Verdict::Bad).count();
        let verdict = match failed {
            0 => "the profile fits this CRM".to_owned(),
            count => format!("{count} of {} checks failed", self.checks.len()),
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }
}

/// Asks each question once, with pages of `samples` records.
pub async fn profile_test(
    connector: &Connector,
    policy: &Policy,
    phones: &PhoneRules,
    samples: u16,
    now: Timestamp,
) -> Report {
    let mut test =
        Test { connector, policy, phones, report: Report::default(), samples: Vec::new(), limit_seen: false };
    let size = samples.max(2);
    test.probe().await;
    if !test.page(size).await {
        return test.report;
    }
    test.one().await;
    test.lookup(Purpose::ByEmail).await;
    test.lookup(Purpose::ByPhone).await;
    test.times();
    test.changed(size).await;
    test.gone(now).await;
    test.children(now).await;
    test.company().await;
    test.metadata().await;
    test.selection();
    let seen = test.limit_seen;
    let says = if seen {
        "headers speak of a limit"
    } else {
        "no header speaks of a limit; the profile's own ceiling holds"
    };
    test.say("limits", Verdict::Good, says);
    test.report
}

struct Test<'a> {
    connector: &'a Connector,
    policy: &'a Policy,
    phones: &'a PhoneRules,
    report: Report,
    samples: Vec<Record>,
    limit_seen: bool,
}

impl Test<'_> {
    fn say(&mut self, what: &'static str, verdict: Verdict, says: impl Into<String>) {
        self.report.checks.push(Check { what, verdict, says: says.into() });
    }

    fn trouble(&mut self, what: &'static str, trouble: Trouble, purpose: Purpose) {
        let made_of = self.connector.made_of(purpose).filter(|_| trouble == Trouble::Refused);
        let says = match made_of {
            // The general sentence would send whoever reads this here again.
            Some(made_of) => format!(
                "refused: the CRM refused {made_of}. Try the same with curl, which shows what it says, and leave out one after \
                 the other: a parameter or member that it does not know, or one that the bridge's user may not see"
            ),
            None => format!("{}: {}", trouble.as_str(), trouble.sentence()),
        };
        self.say(what, Verdict::Bad, says);
    }

    async fn ask(&mut self, what: &'static str, question: Question) -> Option<std::sync::Arc<Found>> {
        let purpose = match question.purpose() {
            Purpose::Probe if !self.has(Purpose::Probe) => Purpose::Page(Entity::Person),
            purpose => purpose,
        };
        match self.connector.ask_as(question, Priority::LookUp).await {
            Ok(found) => {
                self.limit_seen |= found.limit_seen;
                Some(found)
            }
            Err(trouble) => {
                self.trouble(what, trouble, purpose);
                None
            }
        }
    }

    fn has(&self, purpose: Purpose) -> bool {
        self.connector.profile().operation(purpose).is_some()
    }

    async fn probe(&mut self) {
        if self.ask("probe", Question::Probe).await.is_some() {
            self.say("probe", Verdict::Good, "the CRM answers and accepts the key");
        }
    }

    /// Two pages. False if there is nothing to go on with.
    async fn page(&mut self, size: u16) -> bool {
        let ask = |mark: Option<PageMark>| Question::Page { entity: Entity::Person, size, mark };
        let Some(first) = self.ask("page", ask(None)).await else { return false };
        let usable = first.records.iter().filter(|record| record.id.is_some()).count();
        let count = first.records.len();
        let (verdict, hint) = match (count, usable) {
            (0, _) => (Verdict::Bad, ": is there nobody, or is `records` another place?"),
            (_, 0) => (Verdict::Bad, ": is `id` another place?"),
            (count, usable) if usable < count => (Verdict::Note, "; those without are never shown"),
            _ => (Verdict::Good, ""),
        };
        self.say("page", verdict, format!("{count} records, {usable} with an id{hint}"));
        self.samples = first.records.clone();
        if usable == 0 {
            return false;
        }
        let more = first.total.filter(|total| *total > count as u64);
        match (first.next.clone(), more) {
            (None, Some(total)) => self.end_of_pages(count, total),
            (None, None) => {
                self.say("paging", Verdict::Skipped, "there is one page only; try with fewer --samples");
            }
            (Some(mark), _) => self.second_page(&first, ask(Some(mark))).await,
        }
        self.full_page(size, first.next.is_some()).await;
        true
    }

    /// A page as large as a copy of everybody asks for; some CRMs refuse it, others send less without a word.
    async fn full_page(&mut self, size: u16, goes_on: bool) {
        let full = self.connector.page_size(Entity::Person);
        if full <= size || !goes_on {
            return;
        }
        let question = Question::Page { entity: Entity::Person, size: full, mark: None };
        let Some(found) = self.ask("full page", question).await else { return };
        let (count, wanted) = (found.records.len(), usize::from(full));
        match (count, found.total) {
            (count, _) if count >= wanted => self.say("full page", Verdict::Good, format!("{count} records")),
            (count, Some(total)) if (count as u64) < total => self.say(
                "full page",
                Verdict::Bad,
                format!("{count} of {total} records came where {full} were asked for: check `size_max` of [paging]"),
            ),
            (count, _) => {
                self.say("full page", Verdict::Good, format!("{count} records, fewer than the {full} of a page"));
            }
        }
    }

    /// There is no further page, and the CRM says that it has more. The same rule as for a copy of everybody.
    fn end_of_pages(&mut self, count: usize, total: u64) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if falls_short(whole(count as u64), whole(total)) {
            let says = format!(
                "{count} of {total} records came, and no next page was found: check [paging] `kind`. A copy of so few is not taken for \
                 complete"
            );
            return self.say("paging", Verdict::Bad, says);
        }
        let says = format!(
            "{count} of {total} records came, and there is no further page: the CRM counts more than it shows to the bridge's user"
        );
        self.say("paging", Verdict::Note, says);
    }

    async fn second_page(&mut self, first: &Found, question: Question) {
        let Some(second) = self.ask("paging", question).await else { return };
        let ids =
            |found: &Found| found.records.iter().filter_map(|record| record.id.clone()).collect::<Vec<_>>();
        let seen: BTreeSet<String> = ids(first).into_iter().collect();
        let again = ids(&second).iter().filter(|id| seen.contains(*id)).count();
        let twice = ids(first).len() + ids(&second).len();
        let different: BTreeSet<String> = ids(first).into_iter().chain(ids(&second)).collect();
        let count = second.records.len();
        let total = second.total.or(first.total).filter(|total| *total > different.len() as u64);
        if let (None, Some(total), 1..) = (&second.next, total, count) {
            self.end_of_pages(different.len(), total);
        }
        match (count, again) {
            (0, _) => self.say("paging", Verdict::Note, "the second page is empty"),
            (_, 0) if different.len() == twice => {
                self.say("paging", Verdict::Good, format!("the second page has {count} others, no id twice"));
            }
            _ => self.say(
                "paging",
                Verdict::Bad,
                format!("{again} of {count} records of the second page stood on the first: check [paging] and the order"),
            ),
        }
    }

    async fn one(&mut self) {
        let Some(id) = self.samples.iter().find_map(|record| record.id.clone()) else { return };
        let Some(found) = self.ask("one", Question::ById(Entity::Person, id.clone())).await else { return };
        match found.records.first() {
            None => self.say("one", Verdict::Bad, "a record of the page is not found by its id"),
            Some(record) if record.id.as_ref() == Some(&id) => {
                let values = record.values.iter().filter(|(_, value)| is_something(value)).count();
                self.say(
                    "one",
                    Verdict::Good,
                    format!("the record with the id that was asked for, {values} listed fields filled"),
                );
            }
            Some(_) => self.say("one", Verdict::Bad, "another record than the one that was asked for"),
        }
    }

    async fn lookup(&mut self, purpose: Purpose) {
        let what = if purpose == Purpose::ByEmail { "by_email" } else { "by_phone" };
        if !self.has(purpose) {
            return self.say(what, Verdict::Skipped, "not in this profile");
        }
        let sample = self.samples.iter().find_map(|record| {
            let value = if purpose == Purpose::ByEmail {
                record.emails.iter().find_map(|email| normal_email(email))
            } else {
                record.phones.iter().find_map(|phone| normal_phone(phone, self.phones))
            };
            Some((record.id.clone()?, value?))
        });
        let Some((id, value)) = sample else {
            return self.say(
                what,
                Verdict::Note,
                "no record of the page has one, so it can't be tried; check [person.match]",
            );
        };
        let is_hit = |record: &Record| {
            if purpose == Purpose::ByEmail {
                record.emails.iter().any(|email| normal_email(email).is_some_and(|email| email == value))
            } else {
                record
                    .phones
                    .iter()
                    .any(|phone| normal_phone(phone, self.phones).is_some_and(|phone| phone == value))
            }
        };
        let question = |value: String| {
            if purpose == Purpose::ByEmail {
                Question::ByEmail(Personal::new(value))
            } else {
                Question::ByPhone(Personal::new(value))
            }
        };
        let Some(found) = self.ask(what, question(value.clone())).await else { return };
        let hits = found.records.iter().filter(|record| is_hit(record)).count();
        let others = found.records.len() - hits;
        let finds = found.records.iter().any(|record| record.id.as_ref() == Some(&id));
        let nobody = if purpose == Purpose::ByEmail { NOBODY.to_owned() } else { "+10000000000".to_owned() };
        let Some(none) = self.ask(what, question(nobody)).await else { return };
        let says = format!(
            "finds the sample: {}; {hits} hits, {others} others; {} for one that nobody has",
            if finds { "yes" } else { "no" },
            none.records.len()
        );
        let verdict = match (finds, others + none.records.len()) {
            (false, _) => Verdict::Bad,
            (true, 0) => Verdict::Good,
            (true, _) => Verdict::Note,
        };
        let hint = match verdict {
            Verdict::Bad if purpose == Purpose::ByPhone => {
                ": numbers may be stored in another form than +49…; leave by_phone out if so"
            }
            Verdict::Bad => ": check the filter",
            Verdict::Note => ": the filter is loose or ignored; the bridge drops the others",
            _ => "",
        };
        self.say(what, verdict, format!("{says}{hint}"));
    }

    fn times(&mut self) {
        let profile = self.connector.profile();
        if profile.person.updated_at.is_none() {
            return self.say("times", Verdict::Skipped, "the profile has no `updated_at`");
        }
        let (count, dated) =
            (self.samples.len(), self.samples.iter().filter(|record| record.updated_at.is_some()).count());
        let verdict = match dated {
            0 => Verdict::Bad,
            dated if dated < count => Verdict::Note,
            _ => Verdict::Good,
        };
        let hint = if dated == 0 { ": check [time] and `updated_at`" } else { "" };
        self.say("times", verdict, format!("{dated} of {count} times of change can be read{hint}"));
    }

    async fn changed(&mut self, size: u16) {
        if !self.has(Purpose::Changed(Entity::Person)) {
            return self.say(
                "changed",
                Verdict::Skipped,
                "not in this profile: copies are compared as a whole",
            );
        }
        let newest =
            self.samples.iter().filter_map(|record| Some((record.updated_at?, record.id.clone()?))).max();
        let Some((since, id)) = newest else {
            return self.say("changed", Verdict::Skipped, "no record of the page has a time of change");
        };
        let overlap_ms = i64::from(self.connector.profile().time.overlap_s) * 1_000;
        let question = |since| Question::Changed { entity: Entity::Person, since, size, mark: None };
        let Some(found) = self.ask("changed", question(since.plus_ms(-overlap_ms))).await else { return };
        let finds = found.records.iter().any(|record| record.id.as_ref() == Some(&id));
        let older = found
            .records
            .iter()
            .filter(|record| record.updated_at.is_some_and(|at| at < since.plus_ms(-2 * overlap_ms - 1_000)))
            .count();
        let says = format!("{} records since the newest of the page; {older} are older", found.records.len());
        match (finds || found.next.is_some(), older) {
            (true, 0) => self.say("changed", Verdict::Good, says),
            (false, _) => self.say(
                "changed",
                Verdict::Bad,
                format!("{says}; the newest itself is not among them: check [time]"),
            ),
            (true, _) => self.say(
                "changed",
                Verdict::Bad,
                format!("{says}: the filter by time is ignored, or [time] is wrong"),
            ),
        }
    }

    async fn gone(&mut self, now: Timestamp) {
        if !self.has(Purpose::Gone) {
            return self.say(
                "gone",
                Verdict::Skipped,
                "not in this profile: deletions are found by comparing",
            );
        }
        let question = Question::Gone { since: now.plus_ms(-MONTH_MS), mark: None };
        let Some(found) = self.ask("gone", question).await else { return };
        let usable = found.records.iter().filter(|record| record.id.is_some()).count();
        let verdict = if usable < found.records.len() { Verdict::Bad } else { Verdict::Good };
        self.say("gone", verdict, format!("{} deleted in 30 days, {usable} with an id", found.records.len()));
    }

    async fn children(&mut self, now: Timestamp) {
        for (feed, child) in self.connector.profile().person.children.iter().enumerate() {
            let question = Question::Children { feed, since: now.plus_ms(-MONTH_MS), mark: None };
            let Some(found) = self.ask("child feed", question).await else { continue };
            let parents = found.records.iter().filter(|record| !record.parents.is_empty()).count();
            let count = found.records.len();
            // A company may have nobody.
            let all = child.parent.is_none() || parents == count;
            let verdict = if all { Verdict::Good } else { Verdict::Bad };
            self.say(
                "child feed",
                verdict,
                format!("{}: {count} changed in 30 days, {parents} name their person", child.name),
            );
        }
    }

    async fn company(&mut self) {
        let Some(linked) = self.connector.profile().linked_company() else {
            let what = if self.connector.profile().company.is_some() {
                "in the person's record"
            } else {
                "not in this profile"
            };
            return self.say("company", Verdict::Skipped, what);
        };
        let gives_ids = linked.one.gives == Gives::Ids;
        let Some(id) =
            self.samples.iter().find_map(|record| record.company_id.clone()).filter(|_| !gives_ids)
        else {
            return self.say(
                "company",
                Verdict::Note,
                "no record of the page names its company; check `link`",
            );
        };
        let Some(found) = self.ask("company", Question::ById(Entity::Company, id.clone())).await else {
            return;
        };
        match found.records.first().map(|company| company.id.as_ref() == Some(&id)) {
            Some(true) => self.say("company", Verdict::Good, "the company of a person is found by its id"),
            Some(false) => {
                self.say("company", Verdict::Bad, "another company than the one that was asked for")
            }
            None => self.say("company", Verdict::Bad, "the company of a person is not found by its id"),
        }
    }

    async fn metadata(&mut self) {
        if !self.has(Purpose::Metadata(Entity::Person)) {
            return self.say("labels", Verdict::Skipped, "not in this profile");
        }
        match field_labels::judge(self.connector, self.policy).await {
            Ok(judged) => {
                let silent = matches!(judged, Judged::Silent { .. });
                self.say("labels", if silent { Verdict::Bad } else { Verdict::Good }, judged.sentence());
                for remark in judged.remarks() {
                    let verdict = if remark.refused { Verdict::Bad } else { Verdict::Note };
                    self.say("label", verdict, remark.message.clone());
                }
            }
            Err(sentence) => self.say("labels", Verdict::Bad, sentence),
        }
    }

    fn selection(&mut self) {
        let watch = self.connector.watch();
        let (unexpected, names) = (watch.unexpected_count(), watch.over_shared_names());
        let cannot = cannot_select(self.connector.profile());
        let says = match (unexpected, cannot) {
            (0, _) => "nothing came that was not asked for".to_owned(),
            (count, true) => format!(
                "{count} members came that nobody asked for; this CRM can't be told, they are skipped unread"
            ),
            (count, false) => format!(
                "{count} members came that nobody asked for: the selection is not (fully) heeded; they are skipped unread"
            ),
        };
        let verdict = if unexpected == 0 { Verdict::Good } else { Verdict::Note };
        self.say("selection", verdict, says);
        if names.is_empty() {
            self.say("over-sharing", Verdict::Good, "no member came whose name is on the deny lexicon");
        } else {
            let says = format!(
                "the CRM sent {}; give the bridge's user fewer rights if the CRM can do that",
                names.join(", ")
            );
            self.say("over-sharing", Verdict::Note, says);
        }
    }
}

fn is_something(value: &crate::policy::value::RawScalar) -> bool {
    !matches!(value, crate::policy::value::RawScalar::Null)
}

fn cannot_select(profile: &Profile) -> bool {
    profile.select.none || profile.operations().iter().any(|(_, _, operation)| operation.over_shares)
}
