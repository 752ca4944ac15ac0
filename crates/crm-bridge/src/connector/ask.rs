//! Wall 1, *ask*: the only way to a request. It is made from an endpoint of the profile, the selection of the plan and
//! a [`Question`], of which there are four kinds and no free text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use service_kit::Personal;
use zeroize::Zeroizing;

use super::profile::{Filter, Paging, Profile, Select, SelectDepth};
use super::projection::Plan;
use crate::walls::Walls;

/// What the CRM can be asked. A filter on anything else would let the asker guess hidden fields.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// People with this mail address (normalised).
    ByEmail(Personal<String>),
    /// People with this phone number (normalised).
    ByPhone(Personal<String>),
    /// The person with this id, which a former answer of the CRM gave.
    ById(String),
    /// Any people, so many from there on; for `policy dry-run` and the probe, never for an operator.
    Sample {
        /// Number of records.
        size: u16,
        /// Where the page before ended.
        from: PageMark,
    },
}

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PageMark {
    /// After so many records.
    Offset(u32),
    /// Where the CRM's cursor says.
    Cursor(String),
}

/// Candidates asked for of one address: enough to know that there are too many.
pub(crate) const CANDIDATES_ASKED: u16 = 20;

/// A request that may be sent. Its parts are private: nobody outside this file can make or change one.
pub struct Request {
    path: Vec<String>,
    query: Vec<(String, Zeroizing<String>)>,
}

impl Request {
    /// The request for a question. None if this CRM has no way to ask it.
    pub(super) fn new(
        question: &Question,
        profile: &Profile,
        plan: &Plan,
        database: Option<&str>,
        walls: Walls,
    ) -> Option<Self> {
        let person = &profile.person;
        let mut query = Vec::new();
        let (endpoint, id) = match question {
            Question::ById(id) => (&person.one, Some(id.as_str())),
            _ => (&person.list, None),
        };
        match question {
            Question::ByEmail(address) => query.push(filter(&person.find.email, address.expose())?),
            Question::ByPhone(number) => query.push(filter(person.find.phone.as_ref()?, number.expose())?),
            Question::ById(_) | Question::Sample { .. } => {}
        }
        let (Paging::Offset { size, .. } | Paging::Cursor { size, .. }) = &person.paging;
        match question {
            Question::ById(_) => {}
            Question::Sample { size: wanted, from } => {
                let wanted = (*wanted).clamp(1, person.paging.size_max());
                query.push(plain(size, &wanted.to_string()));
                query.extend(page_mark(&person.paging, from, wanted));
            }
            _ => query.push(plain(size, &CANDIDATES_ASKED.min(person.paging.size_max()).to_string())),
        }
        query.extend(selection(&person.select, plan, profile, walls));
        Some(Self { path: path(endpoint, id, database)?, query })
    }

    /// The segments of the path, not yet encoded.
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    /// The query, not yet encoded.
    pub(super) fn query(&self) -> &[(String, Zeroizing<String>)] {
        &self.query
    }
}

fn plain(parameter: &str, value: &str) -> (String, Zeroizing<String>) {
    (parameter.to_owned(), Zeroizing::new(value.to_owned()))
}

fn filter(filter: &Filter, value: &str) -> Option<(String, Zeroizing<String>)> {
    match filter {
        Filter::Query { parameter } => Some(plain(parameter, value)),
        Filter::Base64Json { parameter, domain } => {
            // The value goes in as a JSON string, so that no letter of it can end the string and begin a condition.
            let value = Zeroizing::new(serde_json::to_string(value).ok()?);
            let domain = Zeroizing::new(domain.replace("{value}", &value));
            Some((parameter.clone(), Zeroizing::new(STANDARD.encode(domain.as_bytes()))))
        }
    }
}

fn page_mark(paging: &Paging, from: &PageMark, size: u16) -> Option<(String, Zeroizing<String>)> {
    match (paging, from) {
        (Paging::Offset { offset, counts_pages, .. }, PageMark::Offset(records)) if *records > 0 => {
            let start = if *counts_pages { records / u32::from(size) } else { *records };
            Some(plain(offset, &start.to_string()))
        }
        (Paging::Cursor { cursor, .. }, PageMark::Cursor(mark)) => Some(plain(cursor, mark)),
        _ => None,
    }
}

fn selection(
    select: &Select,
    plan: &Plan,
    profile: &Profile,
    walls: Walls,
) -> Vec<(String, Zeroizing<String>)> {
    let (Select::Comma { depth, .. } | Select::Repeated { depth, .. }) = select;
    let mut names: Vec<String> = plan
        .selection()
        .iter()
        .map(|path| match depth {
            SelectDepth::Dotted => path.join("."),
            SelectDepth::Top => path.first().cloned().unwrap_or_default(),
        })
        .collect();
    if !walls.ask_stands() {
        names.extend(profile.deny.paths.iter().cloned());
    }
    names.sort_unstable();
    names.dedup();
    match select {
        Select::Comma { parameter, .. } => vec![plain(parameter, &names.join(","))],
        Select::Repeated { parameter, .. } => names.iter().map(|name| plain(parameter, name)).collect(),
    }
}

fn path(endpoint: &str, id: Option<&str>, database: Option<&str>) -> Option<Vec<String>> {
    endpoint
        .strip_prefix("GET /")?
        .split('/')
        .map(|segment| match segment {
            "{id}" => id.map(str::to_owned),
            "{database}" => database.map(str::to_owned),
            plain => Some(plain.to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::profile::BUILT_IN;
    use crate::connector::projection::Limits;
    use crate::policy::load::load;

    fn request(profile: usize, question: &Question) -> String {
        let policy = load(
            "[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n[person.name]\ntype=\"text\"\nchars_max=9\nshow=[\"line1\"]\n\
             [company.name]\ntype=\"text\"\nchars_max=9\nshow=[\"line1\"]\n",
        )
        .unwrap();
        let profile = Profile::load(BUILT_IN[profile].1).unwrap();
        let limits = Limits { answer_bytes_max: 1, depth_max: 1, records_max: 1 };
        let plan = Plan::compile(&policy, &profile, limits);
        let request = Request::new(question, &profile, &plan, Some("crm"), Walls::standing()).unwrap();
        let query: Vec<String> =
            request.query.iter().map(|(name, value)| format!("{name}={}", **value)).collect();
        format!("/{}?{}", request.path.join("/"), query.join("&"))
    }

    fn held(text: &str) -> Personal<String> {
        Personal::new(text.to_owned())
    }

    #[test]
    fn only_what_policy_and_match_need_is_selected() {
        assert_eq!(
            request(0, &Question::ByEmail(held("a@b.example"))),
            "/api/v1/contacts?email=a@b.example&limit=20&fields=company.name,email,full_name,id,mobile,other_emails,phone,updated_at"
        );
        assert_eq!(
            request(1, &Question::ById("17".into())),
            "/crm/rest/model/party.party/17?f=contact_mechanisms.type&f=contact_mechanisms.value&f=id&f=name&f=write_date"
        );
    }

    #[test]
    fn a_value_cannot_become_a_condition() {
        let nasty = r#"x"]],[["bank_accounts.numbers.number","ilike","DE%"#;
        let request = request(1, &Question::ByEmail(held(nasty)));
        let encoded = request.split("d=").nth(1).unwrap().split('&').next().unwrap();
        let domain: serde_json::Value = serde_json::from_slice(&STANDARD.decode(encoded).unwrap()).unwrap();
        assert_eq!(domain, serde_json::json!([["contact_mechanisms.value", "=", nasty]]));
    }

    #[test]
    fn pages_follow_the_profile() {
        let second = Question::Sample { size: 50, from: PageMark::Offset(50) };
        assert!(request(1, &second).contains("?s=50&p=1&"), "{}", request(1, &second));
        let next = Question::Sample { size: 50, from: PageMark::Cursor("c2".into()) };
        assert!(request(0, &next).contains("limit=50&cursor=c2&"));
    }
}
