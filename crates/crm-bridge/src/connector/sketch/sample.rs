//! What one answer of a CRM shows of its shape: where the records are, what is in them, and around them. Values are looked
//! at for their form and forgotten.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

/// Records of a sample that are looked at.
const RECORDS_MAX: usize = 50;
const DEPTH_MAX: usize = 4;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Nothing,
    Mail,
    Phone,
    Rfc3339,
    DateTime,
    UnixS,
    UnixMs,
    Day,
    Address,
    Number,
    Text,
    Flag,
}

/// A value in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The members on the way to it, through a list if there is one.
    pub(super) path: Vec<String>,
    /// How many of them lead to the list that it is an entry of.
    pub(super) list: Option<usize>,
    /// Which entry of the list it is, by a member beside it: `kind` and its word.
    pub(super) entry: Option<(String, String)>,
    pub(super) form: Form,
}

impl Leaf {
    /// `/phones/number`
    pub(super) fn dotted(&self) -> String {
        self.path.join(".")
    }
}

/// What a sample shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Where the list of records is, or the one record.
    pub(super) records: Vec<String>,
    pub(super) leaves: Vec<Leaf>,
    /// What stands around the records.
    pub(super) around: Vec<Leaf>,
}

/// Looks at an answer: a list of records, whatever stands around it, or one record.
pub(super) fn look(answer: &Value) -> Option<Shown> {
    let mut lists = Vec::new();
    find_lists(answer, &mut Vec::new(), &mut lists);
    let has_mail = |records: &[&Value]| leaves_of(records).iter().any(|leaf| leaf.form == Form::Mail);
    let best = lists.iter().find(|(_, records)| has_mail(records));
    // A list inside of one record, such as its addresses, is no list of records.
    let own = answer.is_object()
        && leaves_of(&[answer]).iter().any(|leaf| leaf.path.len() == 1 && leaf.form == Form::Mail);
    let (records, found) = match best.or_else(|| lists.first()) {
        Some((path, records)) if !own => (path.clone(), records.clone()),
        _ if answer.is_object() => (Vec::new(), vec![answer]),
        _ => return None,
    };
    let leaves = leaves_of(&found);
    let mut around = Vec::new();
    if answer.is_object() && !own {
        walk(answer, &mut Vec::new(), None, None, &mut around);
        around.retain(|leaf| leaf.list.is_none() && !leaf.path.starts_with(&records));
    }
    (!leaves.is_empty()).then_some(Shown { records, leaves, around })
}

fn find_lists<'a>(value: &'a Value, path: &mut Vec<String>, lists: &mut Vec<(Vec<String>, Vec<&'a Value>)>) {
    match value {
        Value::Array(entries) if entries.first().is_some_and(Value::is_object) => {
            lists.push((path.clone(), entries.iter().take(RECORDS_MAX).collect()));
        }
        Value::Object(members) if path.len() < DEPTH_MAX => {
            for (name, member) in members {
                path.push(name.clone());
                find_lists(member, path, lists);
                path.pop();
            }
        }
        _ => {}
    }
}

/// The values of several records as one: a form from whichever has one.
fn leaves_of(records: &[&Value]) -> Vec<Leaf> {
    let mut all: Vec<Leaf> = Vec::new();
    for record in records {
        let mut own = Vec::new();
        walk(record, &mut Vec::new(), None, None, &mut own);
        for leaf in own {
            match all.iter_mut().find(|known| known.path == leaf.path && known.entry == leaf.entry) {
                Some(known) if known.form == Form::Nothing => known.form = leaf.form,
                Some(_) => {}
                None => all.push(leaf),
            }
        }
    }
    all
}

fn walk(
    value: &Value,
    path: &mut Vec<String>,
    list: Option<usize>,
    entry: Option<&(String, String)>,
    leaves: &mut Vec<Leaf>,
) {
    match value {
        Value::Object(members) if path.len() < DEPTH_MAX => {
            for (name, member) in members {
                path.push(name.clone());
                walk(member, path, list, entry, leaves);
                path.pop();
            }
        }
        // A list in a list is nothing that a profile can name.
        Value::Array(entries) if list.is_none() && !path.is_empty() => {
            for value in entries.iter().take(RECORDS_MAX) {
                walk(value, path, Some(path.len()), which(value).as_ref(), leaves);
            }
            if entries.is_empty() {
                let leaf =
                    Leaf { path: path.clone(), list: Some(path.len()), entry: None, form: Form::Nothing };
                leaves.push(leaf);
            }
        }
        Value::Array(_) | Value::Object(_) => {}
        scalar => {
            let leaf = Leaf { path: path.clone(), list, entry: entry.cloned(), form: form_of(scalar) };
            if !leaves.contains(&leaf) {
                leaves.push(leaf);
            }
        }
    }
}

/// The member that says which entry of a list this is. Only words that say a kind are taken over.
fn which(entry: &Value) -> Option<(String, String)> {
    const WORDS: &[&str] = &[
        "work", "office", "business", "mobile", "cell", "home", "private", "main", "email", "mail", "phone",
        "fax",
    ];
    // A label is what people see, often in their language: the last resort.
    const MEMBERS: &[&str] = &["type", "kind", "usage", "label"];
    let members = entry.as_object()?;
    MEMBERS.iter().find_map(|member| {
        let (name, value) = members.iter().find(|(name, _)| name.to_lowercase() == *member)?;
        let word = value.as_str().filter(|word| WORDS.contains(&word.to_lowercase().as_str()))?;
        Some((name.clone(), word.to_owned()))
    })
}

/// Where the record is in an answer for one: the outermost object that has most of these members.
pub(super) fn record_in(answer: &Value, members: &BTreeSet<&str>) -> Option<Vec<String>> {
    let mut best: Option<(usize, Vec<String>)> = None;
    let mut next = VecDeque::from([(Vec::new(), answer)]);
    while let Some((path, value)) = next.pop_front() {
        let Some(object) = value.as_object() else { continue };
        let known = object.keys().filter(|name| members.contains(name.as_str())).count();
        if known > best.as_ref().map_or(0, |(most, _)| *most) {
            best = Some((known, path.clone()));
        }
        if path.len() < DEPTH_MAX {
            next.extend(
                object.iter().map(|(name, value)| ([&path[..], std::slice::from_ref(name)].concat(), value)),
            );
        }
    }
    best.map(|(_, path)| path)
}

fn form_of(value: &Value) -> Form {
    match value {
        Value::Bool(_) => Form::Flag,
        Value::Number(number) => match number.as_u64() {
            Some(1_000_000_000..=4_000_000_000) => Form::UnixS,
            Some(1_000_000_000_000..=4_000_000_000_000) => Form::UnixMs,
            _ => Form::Number,
        },
        Value::String(text) => form_of_text(text.trim()),
        _ => Form::Nothing,
    }
}

fn form_of_text(text: &str) -> Form {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let dashed = |text: &str| jiff::civil::Date::strptime("%Y-%m-%d", text).is_ok();
    if text.is_empty() {
        Form::Nothing
    } else if text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
        && !text.contains(char::is_whitespace)
    {
        Form::Mail
    } else if text.parse::<jiff::Timestamp>().is_ok() {
        Form::Rfc3339
    } else if jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).is_ok() {
        Form::DateTime
    } else if dashed(text) {
        Form::Day
    } else if text.starts_with("http://") || text.starts_with("https://") {
        Form::Address
    } else if (7..=16).contains(&digits)
        && text.starts_with(['+', '0', '('])
        && text.chars().all(|c| c.is_ascii_digit() || " +-()/.".contains(c))
    {
        Form::Phone
    } else {
        Form::Text
    }
}
