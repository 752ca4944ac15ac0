//! The seeded generator: the same seed, number and day give the same customers.

mod names;
mod values;

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::model::{Company, Contact, Deal, Invoice, Note, Owner, Records, ServiceLevel};
use names::{LANDS, Land};
use values::Values;
pub(crate) use values::is_marker;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Same seed, same data.
    pub seed: u64,
    /// How many contacts.
    pub customers: usize,
    /// Whether every sensitive value is a unique random marker.
    pub marked: bool,
    /// The day that dates are relative to.
    pub today: Date,
}

const CREDIT_RATINGS: [&str; 5] = ["AAA", "AA", "A", "BB", "C"];
const OWNERS: usize = 5;
const CONTACTS_PER_COMPANY: usize = 4;
/// Every so many contacts share the phone of the one before: "who is this" then has several answers.
const SHARED_PHONE_EVERY: usize = 25;

/// Makes the customers.
pub fn generate(recipe: Recipe) -> Records {
    let mut maker = Maker {
        rng: StdRng::seed_from_u64(recipe.seed),
        values: Values::new(recipe.seed, recipe.marked),
        today: recipe.today,
        records: Records { marked: recipe.marked, ..Records::default() },
        used: BTreeSet::new(),
    };
    maker.owners();
    maker.companies(recipe.customers.div_ceil(CONTACTS_PER_COMPANY));
    for number in 0..recipe.customers {
        maker.contact(number);
    }
    maker.records
}

struct Maker {
    rng: StdRng,
    values: Values,
    today: Date,
    records: Records,
    used: BTreeSet<String>,
}

impl Maker {
    fn owners(&mut self) {
        const NAMES: [(&str, &str); OWNERS] = [
            ("Vera Lindqvist", "vera"),
            ("Marek Novotny", "marek"),
            ("Carla Benedetti", "carla"),
            ("Tomás Aguirre", "tomas"),
            ("Ines Baptiste", "ines"),
        ];
        for (number, (name, short)) in NAMES.into_iter().enumerate() {
            let id = format!("ow_{}", 11 + number);
            let quota = self.values.money(&mut self.rng, 400_000..900_000);
            let owner = Owner {
                id: id.clone(),
                name: self.values.text(name),
                email: format!("{}@sales.example", self.values.word(short)),
                phone: self.phone("+3512", 8),
                team: self.values.text(if number < 3 { "Key accounts" } else { "Mid market" }),
                quota,
            };
            self.records.owners.insert(id, owner);
        }
    }

    fn companies(&mut self, count: usize) {
        for number in 0..count {
            let land = land_of(number);
            let round = number / LANDS.len();
            let (firm, latin) = land.firms[round % land.firms.len()];
            // The same firm again is a branch of it.
            let branch = round / land.firms.len();
            let (name, domain) = if branch == 0 {
                (firm.to_owned(), format!("{latin}.example"))
            } else {
                (format!("{firm} {}", branch + 1), format!("{latin}{}.example", branch + 1))
            };
            let company = self.company(number, land, name, domain);
            self.invoices(&company);
            self.records.companies.insert(company.id.clone(), company);
        }
    }

    fn company(&mut self, number: usize, land: &Land, name: String, domain: String) -> Company {
        let (city, time_zone, _) = *self.pick(land.cities);
        let service_level = match self.rng.random_range(0..10) {
            0..2 => ServiceLevel::Gold,
            2..5 => ServiceLevel::Silver,
            _ => ServiceLevel::Standard,
        };
        let support_until = self.day(-60..720);
        let created_at = self.moment(400..2000);
        let rng = &mut self.rng;
        Company {
            id: format!("co_{}", 501 + number),
            created_at,
            updated_at: self.values.moment_between(rng, created_at, noon(self.today)),
            website: format!("https://www.{domain}"),
            phone: unique(&mut self.used, || number_of(rng, land.landline)),
            city: city.to_owned(),
            country: land.country.to_owned(),
            time_zone: time_zone.to_owned(),
            industry: (*pick(rng, &["Food", "Engineering", "Software", "Logistics", "Retail", "Tourism"]))
                .to_owned(),
            employees: rng.random_range(3..900),
            service_level,
            support_until,
            currency: land.currency.to_owned(),
            annual_revenue: self.values.money(rng, 300_000..80_000_000),
            credit_limit: self.values.money(rng, 5_000..400_000),
            outstanding_balance: self.values.money(rng, 100..90_000),
            payment_terms_days: *pick(rng, &[14, 30, 45, 60]),
            tax_number: self.values.text(&format!(
                "{}{:09}",
                land.country,
                rng.random_range(0..1_000_000_000)
            )),
            iban: self.values.iban(rng, land.country),
            credit_rating: self.values.text(CREDIT_RATINGS[rng.random_range(0..CREDIT_RATINGS.len())]),
            owner_id: format!("ow_{}", 11 + number % OWNERS),
            name,
            domain,
        }
    }

    fn invoices(&mut self, company: &Company) {
        for _ in 0..self.rng.random_range(2..6) {
            let serial = self.records.invoices.len() + 1;
            let issued = self.day(-200..0);
            let due = plus_days(issued, i64::from(company.payment_terms_days));
            let status = match self.rng.random_range(0..4) {
                0 if due < self.today => "overdue",
                0 | 1 => "open",
                _ => "paid",
            };
            let id = format!("in_{}", 7000 + serial);
            let invoice = Invoice {
                id: id.clone(),
                company_id: company.id.clone(),
                number: self.values.text(&format!("INV-{}-{:05}", issued.year(), 300 + serial)),
                amount: self.values.money(&mut self.rng, 80..60_000),
                currency: company.currency.clone(),
                issued,
                due,
                status: status.to_owned(),
                iban: self.values.iban(&mut self.rng, "DE"),
                purpose: self.values.text("Licences and support"),
                updated_at: noon(issued),
            };
            self.records.invoices.insert(id, invoice);
        }
    }

    fn contact(&mut self, number: usize) {
        let company_number = number % self.records.companies.len();
        let Some(company) = self.records.companies.get(&format!("co_{}", 501 + company_number)).cloned()
        else {
            return;
        };
        let land = land_of(company_number);
        let woman = self.rng.random_bool(0.5);
        let (first_name, first_latin) = *self.pick(if woman { land.women } else { land.men });
        let (her, him, her_latin, his_latin) = *self.pick(land.families);
        let (last_name, last_latin) = if woman { (her, her_latin) } else { (him, his_latin) };
        let mut same_name = 0;
        let email = unique(&mut self.used, || {
            same_name += 1;
            let suffix = if same_name == 1 { String::new() } else { same_name.to_string() };
            format!("{first_latin}.{last_latin}{suffix}@{}", company.domain)
        });
        let phone = match self.records.contacts.values().next_back() {
            Some(previous) if number % SHARED_PHONE_EVERY == SHARED_PHONE_EVERY - 1 => previous.phone.clone(),
            _ => self.phone(land.landline.0, land.landline.1),
        };
        let mobile = self.rng.random_bool(0.7).then(|| self.phone(land.mobile.0, land.mobile.1));
        let other = self.rng.random_bool(0.15).then(|| format!("{first_latin}{number}@home.example"));
        let (city, time_zone, postal_code) = *self.pick(land.cities);
        let street = format!("{} {}", self.pick(land.streets), self.rng.random_range(1..140));
        let created_at = self.moment(10..1500);
        let id = format!("ct_{}", 1001 + number);
        let contact = Contact {
            id: id.clone(),
            created_at,
            updated_at: self.values.moment_between(&mut self.rng, created_at, noon(self.today)),
            salutation: if woman { land.salutations.0 } else { land.salutations.1 }.to_owned(),
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            full_name: format!("{first_name} {last_name}"),
            email,
            other_emails: other.into_iter().collect(),
            phone,
            mobile,
            job_title: (*self.pick(land.titles)).to_owned(),
            language: land.language.to_owned(),
            time_zone: time_zone.to_owned(),
            street,
            postal_code: postal_code.to_owned(),
            city: city.to_owned(),
            country: land.country.to_owned(),
            service_level: company.service_level,
            support_until: company.support_until,
            marketing_consent: self.rng.random_bool(0.4),
            lead_score: self.rng.random_range(0..=100),
            lifecycle_stage: (*self.pick(&["customer", "opportunity", "evangelist"])).to_owned(),
            lead_source: (*self.pick(&["trade fair", "referral", "web", "cold call"])).to_owned(),
            tags: vec![self.values.text("VIP 250k")],
            birthday: self.rng.random_bool(0.5).then(|| self.day(-24_000..-8_000)),
            company_id: company.id.clone(),
            owner_id: company.owner_id.clone(),
        };
        self.deals(&contact, &company);
        self.notes(&contact);
        self.records.contacts.insert(id, contact);
    }

    fn deals(&mut self, contact: &Contact, company: &Company) {
        const STAGES: [(&str, u8); 5] = [
            ("qualified", 20),
            ("demo held", 40),
            ("quote sent", 60),
            ("negotiation", 80),
            ("verbal yes", 95),
        ];
        for _ in 0..self.rng.random_range(0..3) {
            let id = format!("dl_{}", 3001 + self.records.deals.len());
            let (stage, probability) = *self.pick(&STAGES);
            let title = *self.pick(&["Renewal", "Upgrade to 500 seats", "Onboarding package", "Second site"]);
            let next_step =
                *self.pick(&["Call the purchasing department", "Send the revised quote", "Lunch"]);
            let deal = Deal {
                id: id.clone(),
                company_id: company.id.clone(),
                contact_id: contact.id.clone(),
                title: self.values.text(&format!("{title}, {}", company.name)),
                pipeline: self.values.text("New business"),
                stage: self.values.text(stage),
                amount: self.values.money(&mut self.rng, 900..300_000),
                currency: company.currency.clone(),
                probability,
                close_date: self.day(5..200),
                next_step: self.values.text(next_step),
                owner_id: company.owner_id.clone(),
                updated_at: self.moment(1..60),
            };
            self.records.deals.insert(id, deal);
        }
    }

    fn notes(&mut self, contact: &Contact) {
        const TEXTS: [&str; 5] = [
            "Would sign at 15 % discount; do not tell before the quarter ends.",
            "Pays late since spring, finance wants to lower the limit.",
            "Compares us with two rivals, decision by the board.",
            "Budget approved, ask again after the holidays.",
            "Angry about the price rise, handle with care.",
        ];
        for _ in 0..self.rng.random_range(1..4) {
            let id = format!("nt_{}", 9001 + self.records.notes.len());
            let text = *self.pick(&TEXTS);
            let note = Note {
                id: id.clone(),
                contact_id: contact.id.clone(),
                owner_id: contact.owner_id.clone(),
                written_at: self.moment(1..300),
                text: self.values.text(text),
            };
            self.records.notes.insert(id, note);
        }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        pick(&mut self.rng, from)
    }

    fn phone(&mut self, start: &'static str, digits: usize) -> String {
        let rng = &mut self.rng;
        unique(&mut self.used, || number_of(rng, (start, digits)))
    }

    fn day(&mut self, from_today: std::ops::Range<i64>) -> Date {
        plus_days(self.today, self.rng.random_range(from_today))
    }

    fn moment(&mut self, days_ago: std::ops::Range<i64>) -> Timestamp {
        let day = noon(plus_days(self.today, -self.rng.random_range(days_ago)));
        let seconds = self.rng.random_range(-14_000..14_000);
        day.checked_add(seconds.seconds()).unwrap_or(day)
    }
}

fn land_of(company_number: usize) -> &'static Land {
    &LANDS[company_number % LANDS.len()]
}

fn pick<'a, T>(rng: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

fn number_of(rng: &mut StdRng, (start, digits): (&str, usize)) -> String {
    let mut number = start.to_owned();
    number.extend((0..digits).map(|_| char::from(b'0' + rng.random_range(0..10_u8))));
    number
}

/// Asks for values until one is new.
fn unique(used: &mut BTreeSet<String>, mut make: impl FnMut() -> String) -> String {
    loop {
        let value = make();
        if used.insert(value.clone()) {
            return value;
        }
    }
}

fn plus_days(day: Date, days: i64) -> Date {
    day.saturating_add(days.days())
}

fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0).in_tz("UTC").map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(marked: bool) -> Recipe {
        Recipe { seed: 7, customers: 200, marked, today: jiff::civil::date(2026, 11, 21) }
    }

    #[test]
    fn the_same_seed_gives_the_same_customers() {
        let once = serde_json::to_string(&generate(recipe(false))).unwrap();
        let again = serde_json::to_string(&generate(recipe(false))).unwrap();
        assert_eq!(once, again);
        let other = serde_json::to_string(&generate(Recipe { seed: 8, ..recipe(false) })).unwrap();
        assert_ne!(once, other);
    }

    #[test]
    fn two_hundred_customers_of_six_languages_with_deals_invoices_and_notes() {
        let records = generate(recipe(false));
        assert_eq!(records.contacts.len(), 200);
        let languages: BTreeSet<_> = records.contacts.values().map(|c| c.language.as_str()).collect();
        assert_eq!(languages, BTreeSet::from(["de", "en", "fi", "he", "id", "ru"]));
        assert!(records.deals.len() > 100, "{}", records.deals.len());
        assert!(records.invoices.len() > 100, "{}", records.invoices.len());
        assert!(records.notes.len() >= 200);
        for contact in records.contacts.values() {
            assert!(records.companies.contains_key(&contact.company_id));
            assert!(records.owners.contains_key(&contact.owner_id));
        }
    }

    #[test]
    fn addresses_are_unique_and_a_few_phones_are_shared() {
        let records = generate(recipe(false));
        let emails: BTreeSet<_> = records.contacts.values().map(|c| &c.email).collect();
        assert_eq!(emails.len(), 200);
        let phones: BTreeSet<_> = records.contacts.values().map(|c| &c.phone).collect();
        assert_eq!(phones.len(), 200 - 200 / SHARED_PHONE_EVERY);
        for phone in phones {
            let digits = phone.strip_prefix('+').unwrap();
            assert!((8..=15).contains(&digits.len()), "{phone} is not E.164");
            assert!(digits.bytes().all(|b| b.is_ascii_digit()), "{phone} is not E.164");
        }
    }

    #[test]
    fn time_zones_exist_and_some_support_contracts_have_ended() {
        let recipe = recipe(false);
        let records = generate(recipe);
        for contact in records.contacts.values() {
            jiff::tz::TimeZone::get(&contact.time_zone).unwrap();
            assert!(contact.updated_at >= contact.created_at);
        }
        let ended = records.contacts.values().filter(|c| c.support_until < recipe.today).count();
        assert!((1..60).contains(&ended), "{ended}");
    }
}
