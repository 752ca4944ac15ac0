//! The customers that every CRM in these tests has.
//!
//! Forty people in ten companies. Some have several addresses and numbers; two share an address with somebody else, so
//! that "who is this" has several answers; one is deleted; one was merged into another; three have no company.

mod names;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use names::{FIRMS, NAMES, TITLES};
use serde_json::{Map, Value};

/// Shares the address of [`TWIN_OF`].
pub const TWIN: u32 = 38;
/// Whose address [`TWIN`] has as well.
pub const TWIN_OF: u32 = 5;
/// Was deleted.
pub const DELETED: u32 = 36;
/// Was merged into [`MERGED_INTO`].
pub const MERGED: u32 = 40;
/// Who took over [`MERGED`].
pub const MERGED_INTO: u32 = 7;

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// From 1 on; the ids of each CRM are made from it.
    pub number: u32,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Addresses; the first is the main one. Lower case.
    pub emails: Vec<String>,
    /// Numbers; the first is the main one.
    pub phones: Vec<Phone>,
    /// Position in the company.
    pub job_title: String,
    /// ISO 639-1.
    pub language: String,
    /// IANA name.
    pub time_zone: String,
    /// Street and house.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// City.
    pub city: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// In English.
    pub country_name: String,
    /// `gold`, `silver` or `standard`.
    pub service_level: String,
    /// Until when support was bought.
    pub support_until: Date,
    /// Number of the company.
    pub company: Option<u32>,
    /// When the record was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// Whether it is gone, and how.
    pub gone: Option<Gone>,
    /// What only this CRM was told of them, by its own names.
    pub own: Map<String, Value>,
}

impl Person {
    /// Given and family name.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// The main address.
    pub fn email(&self) -> &str {
        self.emails.first().map_or("", String::as_str)
    }

    /// The first number that is no mobile phone.
    pub fn phone(&self) -> Option<&Phone> {
        self.phones.iter().find(|phone| !phone.mobile)
    }

    /// The first mobile phone.
    pub fn mobile(&self) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.mobile)
    }

    /// Whether one of the addresses is this one, in any case.
    pub fn has_email(&self, address: &str) -> bool {
        self.emails.iter().any(|email| email.to_lowercase() == address.to_lowercase())
    }
}

/// A phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// `+49301234501`
    pub e164: String,
    /// As it stands in the CRM: as above for odd numbers of persons, `+49 (30) 200-0002` for even ones.
    pub typed: String,
    /// Whether it is a mobile phone.
    pub mobile: bool,
}

/// How a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Deleted.
    Deleted,
    /// Merged into the person with that number.
    MergedInto(u32),
}

/// A company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// From 1 on.
    pub number: u32,
    /// Name.
    pub name: String,
    /// `muller-sohne.example`
    pub domain: String,
    /// Switchboard.
    pub phone: Phone,
    /// City.
    pub city: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// In English.
    pub country_name: String,
    /// IANA name.
    pub time_zone: String,
    /// `gold`, `silver` or `standard`.
    pub service_level: String,
    /// Until when support was bought.
    pub support_until: Date,
    /// When the record was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What only this CRM was told of it, by its own names.
    pub own: Map<String, Value>,
}

impl Phone {
    /// Whether these digits end with the given ones, of which at least six must be given.
    pub fn ends_with(&self, digits: &str) -> bool {
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        digits.len() >= 6 && self.e164.ends_with(&digits)
    }
}

impl Company {
    /// `https://www.muller-sohne.example`
    pub fn website(&self) -> String {
        format!("https://www.{}", self.domain)
    }
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    /// In the order of their numbers.
    pub persons: Vec<Person>,
    /// In the order of their numbers.
    pub companies: Vec<Company>,
}

impl People {
    /// The forty people and ten companies that the tests know.
    pub fn usual() -> Self {
        let companies: Vec<Company> = (1..=10).map(company).collect();
        let mut persons: Vec<Person> = (1..=40).map(|number| person(number, &companies)).collect();
        let shared =
            persons.iter().find(|person| person.number == TWIN_OF).map(|twin| twin.emails[0].clone());
        for person in &mut persons {
            match person.number {
                TWIN => person.emails.splice(..1, shared.clone()).for_each(drop),
                DELETED => person.gone = Some(Gone::Deleted),
                MERGED => person.gone = Some(Gone::MergedInto(MERGED_INTO)),
                _ => {}
            }
        }
        Self { persons, companies }
    }

    /// So many people: the usual forty, then more like them with other addresses and numbers. For long lists.
    pub fn many(count: u32) -> Self {
        let mut people = Self::usual();
        let more = (41..=count).map(|number| person(number, &people.companies));
        people.persons.extend(more.collect::<Vec<_>>());
        people
    }

    /// A person by number, gone or not.
    pub fn person(&self, number: u32) -> Option<&Person> {
        self.persons.iter().find(|person| person.number == number)
    }

    /// A person by number, to change it.
    pub fn person_mut(&mut self, number: u32) -> Option<&mut Person> {
        self.persons.iter_mut().find(|person| person.number == number)
    }

    /// A company by number.
    pub fn company(&self, number: u32) -> Option<&Company> {
        self.companies.iter().find(|company| company.number == number)
    }

    /// A person's company.
    pub fn company_of(&self, person: &Person) -> Option<&Company> {
        self.company(person.company?)
    }

    /// Everybody who is not gone, in the order of their numbers.
    pub fn living(&self) -> impl Iterator<Item = &Person> {
        self.persons.iter().filter(|person| person.gone.is_none())
    }

    /// Everybody who is not gone, in the order of change and then of number.
    pub fn by_change(&self) -> Vec<&Person> {
        let mut persons: Vec<&Person> = self.living().collect();
        persons.sort_by_key(|person| (person.updated, person.number));
        persons
    }
}

const LEVELS: [&str; 3] = ["gold", "silver", "standard"];

/// 2026-01-05T08:00:00Z, the first working day in these tests.
fn day_one() -> Timestamp {
    Timestamp::from_second(1_767_600_000).unwrap_or_default()
}

fn support_until(number: u32) -> Date {
    let months = i64::from(number % 24);
    jiff::civil::date(2026, 6, 30).checked_add(months.months()).unwrap_or_default()
}

fn phone(prefix: &str, rest: u32, mobile: bool) -> Phone {
    let (country, area) = prefix.split_at(prefix.len().min(3));
    let rest = format!("{rest:07}");
    let (head, tail) = rest.split_at(3);
    let e164 = format!("{prefix}{rest}");
    // Half of them were imported, half were typed by somebody.
    let imported = tail.bytes().last().is_some_and(|digit| digit % 2 == 1);
    let typed = if imported { e164.clone() } else { format!("{country} ({area}) {head}-{tail}") };
    Phone { e164, typed, mobile }
}

fn company(number: u32) -> Company {
    let (name, domain, prefix, city, _, country, country_name, time_zone, _) = FIRMS[number as usize - 1];
    let created = day_one() + (i64::from(number) * 3).hours();
    Company {
        number,
        name: name.to_owned(),
        domain: format!("{domain}.example"),
        phone: phone(prefix, 5_550_000 + number, false),
        city: city.to_owned(),
        country: country.to_owned(),
        country_name: country_name.to_owned(),
        time_zone: time_zone.to_owned(),
        service_level: LEVELS[number as usize % 3].to_owned(),
        support_until: support_until(number),
        created,
        updated: created + (i64::from(number) * 24).hours(),
        own: Map::new(),
    }
}

fn person(number: u32, companies: &[Company]) -> Person {
    let at = (number as usize - 1) % NAMES.len();
    let (first_name, last_name, local) = NAMES[at];
    let firm = FIRMS[at / 4];
    let company = &companies[at / 4];
    let local = if number > 40 { format!("{local}.{number}") } else { local.to_owned() };
    let mut emails = vec![format!("{local}@{}", company.domain)];
    if number.is_multiple_of(4) {
        emails.push(format!("person{number}@home.example"));
    }
    let mut phones = vec![phone(firm.2, 2_000_000 + number, false)];
    if !number.is_multiple_of(3) {
        phones.push(phone("+49170", 3_000_000 + number, true));
    }
    let created = day_one() + i64::from(number).hours();
    // Six at a time were changed in the same second, as imports do.
    let updated = created + (24 * i64::from(number / 6) + 240 - i64::from(number)).hours();
    Person {
        number,
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        emails,
        phones,
        job_title: TITLES[number as usize % TITLES.len()].to_owned(),
        language: firm.8.to_owned(),
        time_zone: firm.7.to_owned(),
        street: format!(
            "{} {number}",
            if number.is_multiple_of(2) { "Straße des 17. Juni" } else { "High Street" }
        ),
        postal_code: firm.4.to_owned(),
        city: firm.3.to_owned(),
        country: firm.5.to_owned(),
        country_name: firm.6.to_owned(),
        service_level: company.service_level.clone(),
        support_until: support_until(number),
        company: (!number.is_multiple_of(13)).then_some(company.number),
        created,
        updated,
        gone: None,
        own: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_people_are_as_the_tests_expect() {
        let people = People::usual();
        assert_eq!((people.persons.len(), people.companies.len(), people.living().count()), (40, 10, 38));
        assert_eq!(people, People::usual());
        let twin = people.person(TWIN).unwrap();
        assert_eq!(twin.emails[0], people.person(TWIN_OF).unwrap().emails[0]);
        let numbers: BTreeSet<&str> =
            people.persons.iter().flat_map(|p| &p.phones).map(|phone| phone.e164.as_str()).collect();
        assert_eq!(numbers.len(), people.persons.iter().map(|p| p.phones.len()).sum::<usize>());
        assert!(people.persons.iter().any(|p| p.company.is_none()));
        let instants: BTreeSet<Timestamp> = people.living().map(|p| p.updated).collect();
        assert!(instants.len() < 10, "several were changed in the same second");
        assert_eq!(People::many(250).living().count(), 248);
    }
}
