//! What reading looks like when a test takes wall 2 away: the whole answer is built, and whatever stands in it rides
//! along. Exists only in test builds, so that tests can be seen to notice.

use serde_json::Value;

use super::plan::Plan;
use super::read::Unreadable;
use super::take::Record;
use crate::connector::profile::Shape;

pub(super) fn read_list(text: &str, plan: &Plan, shape: &Shape) -> Result<Vec<Record>, Unreadable> {
    let answer = parse(text)?;
    let records = at(&answer, shape.records.segments()).and_then(Value::as_array);
    Ok(records.ok_or(Unreadable::UnexpectedShape)?.iter().map(|value| record(value, plan)).collect())
}

pub(super) fn read_one(text: &str, plan: &Plan, shape: &Shape) -> Result<Record, Unreadable> {
    let answer = parse(text)?;
    at(&answer, shape.record.segments()).map(|value| record(value, plan)).ok_or(Unreadable::UnexpectedShape)
}

fn parse(text: &str) -> Result<Value, Unreadable> {
    serde_json::from_str(text).map_err(|_| Unreadable::NotJson)
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn record(value: &Value, plan: &Plan) -> Record {
    let mut record = super::read::record_of(value, plan);
    leaves("", value, &mut record.unlisted);
    record
}

fn leaves(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(&format!("{path}_{name}"), value, found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| leaves(&format!("{path}_{i}"), item, found))
        }
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Null => {}
        other => found.push((path.to_owned(), other.to_string())),
    }
}
