//! A crowd: as many customers as one likes, each made from its number when it is asked for, so that a million of them
//! take no memory. For benchmarks of the first copy of a whole customer base.
//!
//! What the crowd's records hold is made up of the number alone; the members are those of [`crate::model::Contact`], with
//! the company, deals and invoices that hang on it when nobody says which fields.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;

/// First second of the crowd's history: 2024-01-01T00:00:00Z. Customer `n` was last changed `n` seconds later.
const BEGIN_S: i64 = 1_704_067_200;
const PREFIX: &str = "cr_";

/// The crowd and what has changed in it since it was made.
pub struct Crowd {
    size: u64,
    changes: RwLock<Changes>,
}

#[derive(Default)]
struct Changes {
    /// Number to the time of the last change and how often it was changed.
    touched: BTreeMap<u64, (Timestamp, u32)>,
    /// The same by time, which is the order of the list.
    by_time: BTreeSet<(Timestamp, u64)>,
    /// Number to the time of removal.
    removed: BTreeMap<u64, Timestamp>,
}

/// Which members of a record are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    all: bool,
    own: Vec<&'static str>,
    company: Vec<&'static str>,
}

/// Members that support may have. `Some` of the company's have the same names.
const OWN: [&str; 15] = [
    "full_name",
    "email",
    "other_emails",
    "phone",
    "mobile",
    "job_title",
    "language",
    "time_zone",
    "city",
    "country",
    "service_level",
    "support_until",
    "first_name",
    "last_name",
    "salutation",
];
const COMPANY: [&str; 8] =
    ["name", "website", "phone", "city", "country", "time_zone", "service_level", "support_until"];

impl Members {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// The named ones (`company.name` for those of the company).
    ///
    /// # Errors
    /// The first name that there is not.
    pub fn named(fields: &str) -> Result<Self, String> {
        let mut members = Self::default();
        for field in fields.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            let (list, known, name) = match field.strip_prefix("company.") {
                Some(name) => (&mut members.company, &COMPANY[..], name),
                None => (&mut members.own, &OWN[..], field),
            };
            match known.iter().find(|known| **known == name) {
                Some(known) => list.push(known),
                None if matches!(name, "id" | "updated_at") => {}
                None => return Err(field.to_owned()),
            }
        }
        Ok(members)
    }
}

/// One page: the body, which is JSON already.
pub struct Page {
    /// `{"items":[…],"next_cursor":…}`
    pub body: String,
}

impl Crowd {
    /// A crowd of that many.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { size, changes: RwLock::default() }
    }

    /// Marks a customer as changed now. False if there is none of that id.
    pub fn touch(&self, id: &str, now: Timestamp) -> bool {
        let Some(number) = self.number(id) else { return false };
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        if changes.removed.contains_key(&number) {
            return false;
        }
        let times = changes.touched.get(&number).map_or(0, |(_, times)| *times);
        if let Some((before, _)) = changes.touched.insert(number, (now, times + 1)) {
            changes.by_time.remove(&(before, number));
        }
        changes.by_time.insert((now, number));
        true
    }

    /// Removes a customer. False if there is none of that id.
    pub fn remove(&self, id: &str, now: Timestamp) -> bool {
        let Some(number) = self.number(id) else { return false };
        let mut changes = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, _)) = changes.touched.remove(&number) {
            changes.by_time.remove(&(before, number));
        }
        changes.removed.insert(number, now).is_none()
    }

    /// One record as JSON, if there is one of that id.
    #[must_use]
    pub fn one(&self, id: &str, members: &Members) -> Option<String> {
        let number = self.number(id)?;
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        if changes.removed.contains_key(&number) {
            return None;
        }
        let mut body = String::with_capacity(600);
        write_record(&mut body, number, changes.touched.get(&number), members);
        Some(body)
    }

    /// The record with that address, which is made of the number too.
    #[must_use]
    pub fn by_email(&self, email: &str, members: &Members) -> Page {
        let number = email.strip_prefix("person").and_then(|rest| rest.strip_suffix("@crowd.example"));
        self.found(number.and_then(|number| number.parse().ok()), members)
    }

    /// The record with that number, digits only.
    #[must_use]
    pub fn by_phone(&self, digits: &str, members: &Members) -> Page {
        self.found(digits.strip_prefix("4930").and_then(|number| number.parse().ok()), members)
    }

    fn found(&self, number: Option<u64>, members: &Members) -> Page {
        let record = number.and_then(|number| self.one(&id_of(number), members));
        Page { body: format!("{{\"items\":[{}],\"next_cursor\":null}}", record.unwrap_or_default()) }
    }

    /// A page in the order of the last change: first all that are as they were made, then the changed ones.
    #[must_use]
    pub fn page(
        &self,
        since: Option<Timestamp>,
        cursor: Option<&str>,
        limit: usize,
        members: &Members,
    ) -> Page {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let (mut made, changed) = match cursor.map(parse_cursor) {
            Some(Mark::Made(number)) => (number + 1, None),
            Some(Mark::Changed(at, number)) => (self.size, Some((at, number))),
            None => (since.map_or(0, first_since), None),
        };
        let mut body = String::with_capacity(limit * if members.all { 2_900 } else { 420 });
        body.push_str("{\"items\":[");
        let (mut count, mut last) = (0_usize, None);
        while made < self.size && count < limit {
            if !changes.touched.contains_key(&made) && !changes.removed.contains_key(&made) {
                separate(&mut body, count);
                write_record(&mut body, made, None, members);
                last = Some(format!("m{made}"));
                count += 1;
            }
            made += 1;
        }
        let later = changes
            .by_time
            .iter()
            .filter(|entry| changed.is_none_or(|mark| **entry > mark))
            .filter(|(at, _)| since.is_none_or(|since| *at >= since));
        let mut more = made < self.size;
        for &(at, number) in later {
            if count == limit {
                more = true;
                break;
            }
            separate(&mut body, count);
            write_record(&mut body, number, changes.touched.get(&number), members);
            last = Some(format!("c{}~{number}", at.as_millisecond()));
            count += 1;
        }
        // Writing to a String cannot fail.
        let _ = match last.filter(|_| more) {
            Some(cursor) => write!(body, "],\"next_cursor\":\"{cursor}\""),
            None => write!(body, "],\"next_cursor\":null"),
        };
        let removed = u64::try_from(changes.removed.len()).unwrap_or(0);
        let _ = match since {
            // Known without counting.
            None => write!(body, ",\"total\":{}}}", self.size.saturating_sub(removed)),
            Some(_) => write!(body, "}}"),
        };
        Page { body }
    }

    /// Ids and times of those that were removed since then.
    #[must_use]
    pub fn removed_since(&self, since: Option<Timestamp>) -> Vec<(String, Timestamp)> {
        let changes = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let removed = changes.removed.iter().filter(|(_, at)| since.is_none_or(|since| **at >= since));
        removed.map(|(number, at)| (id_of(*number), *at)).collect()
    }

    fn number(&self, id: &str) -> Option<u64> {
        id.strip_prefix(PREFIX)?.parse().ok().filter(|number| *number < self.size)
    }
}

enum Mark {
    Made(u64),
    Changed(Timestamp, u64),
}

/// A cursor that this CRM gave out; anything else begins anew.
fn parse_cursor(cursor: &str) -> Mark {
    let changed = || {
        let (at, number) = cursor.strip_prefix('c')?.split_once('~')?;
        let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
        Some(Mark::Changed(at, number.parse().ok()?))
    };
    let made = || Some(Mark::Made(cursor.strip_prefix('m')?.parse().ok()?));
    made().or_else(changed).unwrap_or(Mark::Made(u64::MAX - 1))
}

fn first_since(since: Timestamp) -> u64 {
    u64::try_from(since.as_second() - BEGIN_S).unwrap_or(0)
}

fn separate(body: &mut String, count: usize) {
    if count > 0 {
        body.push(',');
    }
}

fn id_of(number: u64) -> String {
    format!("{PREFIX}{number:07}")
}

fn made_at(number: u64) -> Timestamp {
    let seconds = BEGIN_S.saturating_add(i64::try_from(number).unwrap_or(0));
    Timestamp::from_second(seconds).unwrap_or_default()
}

fn write_record(body: &mut String, number: u64, touched: Option<&(Timestamp, u32)>, members: &Members) {
    let (at, times) = touched.copied().unwrap_or_else(|| (made_at(number), 0));
    // Writing to a String cannot fail.
    let _ = write!(body, "{{\"id\":\"{PREFIX}{number:07}\",\"updated_at\":\"{at}\"");
    if members.all {
        OWN.iter().for_each(|name| write_own(body, name, number, times));
        write_company(body, number, &COMPANY, true);
        write_burden(body, number);
    } else {
        members.own.iter().for_each(|name| write_own(body, name, number, times));
        if !members.company.is_empty() {
            write_company(body, number, &members.company, false);
        }
    }
    body.push('}');
}

fn write_own(body: &mut String, name: &str, n: u64, times: u32) {
    let _ = match name {
        "full_name" if times > 0 => write!(body, ",\"full_name\":\"Renée Müller {n} ({times})\""),
        "full_name" => write!(body, ",\"full_name\":\"Renée Müller {n}\""),
        "email" => write!(body, ",\"email\":\"person{n}@crowd.example\""),
        "other_emails" => write!(body, ",\"other_emails\":[]"),
        "phone" => write!(body, ",\"phone\":\"+4930{n:08}\""),
        "mobile" => write!(body, ",\"mobile\":null"),
        "job_title" => write!(body, ",\"job_title\":\"Purchasing {}\"", n % 40),
        "language" => write!(body, ",\"language\":\"de\""),
        "time_zone" => write!(body, ",\"time_zone\":\"Europe/Berlin\""),
        "city" => write!(body, ",\"city\":\"Köln {}\"", n % 90),
        "country" => write!(body, ",\"country\":\"DE\""),
        "service_level" => write!(body, ",\"service_level\":\"{}\"", level(n)),
        "support_until" => write!(body, ",\"support_until\":\"2027-{:02}-15\"", n % 12 + 1),
        "first_name" => write!(body, ",\"first_name\":\"Renée\""),
        "last_name" => write!(body, ",\"last_name\":\"Müller {n}\""),
        _ => write!(body, ",\"{name}\":\"\""),
    };
}

fn level(n: u64) -> &'static str {
    ["gold", "silver", "standard"][usize::try_from(n % 3).unwrap_or(0)]
}

fn write_company(body: &mut String, number: u64, names: &[&str], all: bool) {
    let firm = number / 4;
    body.push_str(",\"company\":{");
    for (i, name) in names.iter().enumerate() {
        separate(body, i);
        let _ = match *name {
            "name" => write!(body, "\"name\":\"Ölmühle {firm} GmbH\""),
            "website" => write!(body, "\"website\":\"https://firm{firm}.example\""),
            "phone" => write!(body, "\"phone\":\"+4940{firm:08}\""),
            "service_level" => write!(body, "\"service_level\":\"{}\"", level(firm)),
            "support_until" => write!(body, "\"support_until\":\"2027-06-30\""),
            other => write!(body, "\"{other}\":\"DE\""),
        };
    }
    if all {
        let _ = write!(
            body,
            ",\"annual_revenue\":{}.5,\"credit_limit\":{}.25,\"outstanding_balance\":{}.75,\"iban\":\"DE89370400440532{firm:06}\",\
             \"tax_number\":\"DE{firm:09}\",\"credit_rating\":\"AA\",\"payment_terms_days\":30,\"currency\":\"EUR\",\
             \"industry\":\"Food\",\"employees\":{}",
            firm * 1_000,
            firm * 100,
            firm * 10,
            firm % 900 + 1
        );
    }
    body.push('}');
}

/// What sales keeps about everybody: the part that must not come through.
fn write_burden(body: &mut String, n: u64) {
    let _ = write!(
        body,
        ",\"lead_score\":{},\"lifecycle_stage\":\"customer\",\"lead_source\":\"fair\",\"tags\":[\"VIP {n}\"],\"owner_id\":\"ow_11\"",
        n % 100
    );
    body.push_str(
        ",\"owner\":{\"name\":\"Vera Lindqvist\",\"email\":\"vera@sales.example\",\"quota\":700000.5}",
    );
    body.push_str(",\"deals\":[");
    for deal in 0..3 {
        separate(body, deal);
        let _ = write!(
            body,
            "{{\"id\":\"dl_{n}_{deal}\",\"title\":\"Frame contract {n}\",\"pipeline\":\"new\",\"stage\":\"offer\",\"amount\":{}.32,\
             \"currency\":\"EUR\",\"probability\":60,\"close_date\":\"2027-01-31\",\"next_step\":\"Call again\"}}",
            n * 7 + 1
        );
    }
    body.push_str("],\"invoices\":[");
    for invoice in 0..4 {
        separate(body, invoice);
        let _ = write!(
            body,
            "{{\"id\":\"in_{n}_{invoice}\",\"number\":\"R-{n}-{invoice}\",\"amount\":{}.99,\"currency\":\"EUR\",\"issued\":\"2026-05-01\",\
             \"due\":\"2026-06-01\",\"status\":\"overdue\",\"iban\":\"DE89370400440532013000\",\"purpose\":\"Delivery of spring\"}}",
            n * 3 + 1
        );
    }
    body.push_str(
        "],\"notes\":[{\"text\":\"Pays late, offer a rebate\",\"written_at\":\"2026-05-01T09:00:00Z\"}]",
    );
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn ids(page: &Page) -> (Vec<String>, Option<String>) {
        let body: Value = serde_json::from_str(&page.body).unwrap();
        let ids =
            body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        (ids.collect(), body["next_cursor"].as_str().map(str::to_owned))
    }

    fn walk(crowd: &Crowd, since: Option<Timestamp>) -> Vec<String> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let (more, next) = ids(&crowd.page(since, cursor.as_deref(), 3, &Members::all()));
            all.extend(more);
            match next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
    }

    #[test]
    fn every_customer_is_listed_once_and_changed_ones_last() {
        let crowd = Crowd::new(10);
        let now: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        assert!(crowd.touch("cr_0000002", now) && crowd.remove("cr_0000005", now));
        assert!(!crowd.touch("cr_0000010", now) && !crowd.touch("cr_0000005", now));
        let all = walk(&crowd, None);
        assert_eq!(all.len(), 9);
        assert_eq!(all.last().unwrap(), "cr_0000002");
        assert_eq!(walk(&crowd, Some(now)), ["cr_0000002"]);
        assert_eq!(walk(&crowd, Some(made_at(8))), ["cr_0000008", "cr_0000009", "cr_0000002"]);
        assert_eq!(crowd.removed_since(None), [("cr_0000005".to_owned(), now)]);
    }

    #[test]
    fn only_named_members_are_answered_and_unknown_ones_are_refused() {
        let crowd = Crowd::new(3);
        let members = Members::named("full_name,company.name,id").unwrap();
        let record: Value = serde_json::from_str(&crowd.one("cr_0000001", &members).unwrap()).unwrap();
        assert_eq!(record.as_object().unwrap().len(), 4);
        assert_eq!(record["company"], serde_json::json!({"name": "Ölmühle 0 GmbH"}));
        assert_eq!(Members::named("company.iban"), Err("company.iban".to_owned()));
        let everything: Value =
            serde_json::from_str(&crowd.one("cr_0000001", &Members::all()).unwrap()).unwrap();
        assert!(everything["deals"][0]["amount"].is_number());
    }

    #[test]
    fn a_customer_is_found_by_address_and_by_number() {
        let crowd = Crowd::new(30);
        let members = Members::named("email").unwrap();
        assert_eq!(ids(&crowd.by_email("person17@crowd.example", &members)).0, ["cr_0000017"]);
        assert_eq!(ids(&crowd.by_phone("493000000017", &members)).0, ["cr_0000017"]);
        assert!(ids(&crowd.by_email("person30@crowd.example", &members)).0.is_empty());
    }
}
