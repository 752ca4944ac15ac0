//! The part of SOQL that a bridge needs: `SELECT … FROM … WHERE … ORDER BY … LIMIT …`. Anything else is refused.

use super::records::Record;
use crate::expr::{Condition, Quoting, Test, Token, tokens};
use crate::times;

/// A parsed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) fields: Vec<String>,
    pub(super) entity: String,
    condition: Option<Condition>,
    order: Vec<(String, bool)>,
    limit: Option<usize>,
    pub(super) touched: Vec<String>,
}

impl Statement {
    /// `Err` says what of it is a leak, if anything.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let tokens = tokens(text, Quoting::Backslash).ok_or_else(Vec::new)?;
        let mut touched = Vec::new();
        let nested = tokens.iter().filter(|token| token.is("select")).count() > 1;
        if nested {
            touched.push("a sub-select".to_owned());
        }
        if text.to_uppercase().contains("FIELDS(") || tokens.iter().any(|token| token.is("*")) {
            touched.push("a star".to_owned());
        }
        Self::from_tokens(&tokens).ok_or(touched)
    }

    fn from_tokens(tokens: &[Token]) -> Option<Self> {
        let at = |keyword: &str| tokens.iter().position(|token| token.is(keyword));
        let from = at("from")?;
        if !tokens.first()?.is("select") {
            return None;
        }
        let fields = list(tokens.get(1..from)?)?;
        let Token::Word(entity) = tokens.get(from + 1)? else { return None };
        let (order, limit) = (at("order"), at("limit"));
        let end = order.or(limit).unwrap_or(tokens.len());
        let condition = match at("where") {
            Some(start) if start == from + 2 => Some(Condition::parse(tokens.get(start + 1..end)?)?),
            None if end == from + 2 => None,
            _ => return None,
        };
        let order = match order {
            Some(start) => order_by(tokens.get(start + 1..limit.unwrap_or(tokens.len()))?)?,
            None => Vec::new(),
        };
        let limit = match limit.map(|start| tokens.get(start + 1..)) {
            Some(Some([Token::Word(number)])) => Some(number.parse().ok()?),
            None => None,
            _ => return None,
        };
        Some(Self { fields, entity: entity.clone(), condition, order, limit, touched: Vec::new() })
    }

    /// Every field that is selected, compared or sorted by.
    pub(super) fn used(&self) -> Vec<String> {
        let compared = self.condition.iter().flat_map(Condition::tests).map(|test| test.field.clone());
        let sorted = self.order.iter().map(|(field, _)| field.clone());
        self.fields.iter().cloned().chain(compared).chain(sorted).collect()
    }

    /// Comparisons that let the asker guess a hidden field.
    pub(super) fn oracles(&self) -> Vec<String> {
        const HARMLESS: [&str; 7] =
            ["Id", "Email", "Phone", "MobilePhone", "SystemModstamp", "IsDeleted", "MasterRecordId"];
        let tests = self.condition.iter().flat_map(Condition::tests);
        let guessing = tests.filter(|test| !HARMLESS.contains(&test.field.as_str()));
        guessing.map(|test| format!("a filter on {}", test.field)).collect()
    }

    pub(super) fn run(&self, mut records: Vec<Record>) -> Vec<Record> {
        if let Some(condition) = &self.condition {
            records.retain(|record| condition.holds(&mut |test| compare(record, test)));
        }
        for (field, descending) in self.order.iter().rev() {
            records.sort_by_key(|record| record.sort_key(field));
            if *descending {
                records.reverse();
            }
        }
        records.truncate(self.limit.unwrap_or(usize::MAX));
        records
    }
}

fn compare(record: &Record, test: &Test) -> bool {
    if test.field == "SystemModstamp" {
        // An instant is written without quotes.
        let Some(at) = (!test.quoted).then(|| times::parse(&test.value)).flatten() else { return false };
        return match test.operator {
            ">" => record.updated > at,
            ">=" => record.updated >= at,
            "<" => record.updated < at,
            "<=" => record.updated <= at,
            _ => record.updated == at,
        };
    }
    let found = record.text(&test.field);
    match test.operator {
        "=" => found.to_lowercase() == test.value.to_lowercase(),
        ">" => found > test.value,
        ">=" => found >= test.value,
        "<" => found < test.value,
        "<=" => found <= test.value,
        _ => {
            let wanted = test.value.to_lowercase();
            let (found, bare) = (found.to_lowercase(), wanted.trim_matches('%'));
            match (wanted.starts_with('%'), wanted.ends_with('%')) {
                (true, true) => found.contains(bare),
                (true, false) => found.ends_with(bare),
                (false, true) => found.starts_with(bare),
                (false, false) => found == bare,
            }
        }
    }
}

fn list(tokens: &[Token]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Word(word) if at % 2 == 0 && !word.contains('*') => names.push(word.clone()),
            Token::Symbol(symbol) if at % 2 == 1 && symbol == "," => {}
            _ => return None,
        }
    }
    (!tokens.is_empty() && tokens.len() % 2 == 1).then_some(names)
}

fn order_by(tokens: &[Token]) -> Option<Vec<(String, bool)>> {
    let mut order = Vec::new();
    let (first, rest) = tokens.split_first()?;
    if !first.is("by") {
        return None;
    }
    for part in rest.split(|token| token.is_symbol(",")) {
        match part {
            [Token::Word(field)] => order.push((field.clone(), false)),
            [Token::Word(field), way] if way.is("asc") || way.is("desc") => {
                order.push((field.clone(), way.is("desc")))
            }
            _ => return None,
        }
    }
    Some(order)
}
