//! From the bytes of an answer to what was asked for.

use super::ask::Question;
use super::client::{Answered, Reply};
use super::profile::{Operation, Shape};
use super::projection::{Plan, Record, read_list, read_one};
use super::trouble::Trouble;
use super::{Found, Inner, labels, page};
use crate::policy::Entity;
use crate::walls::Wall;

impl Inner {
    pub(super) fn read(
        &self,
        question: &Question,
        operation: &Operation,
        plan: Option<&Plan>,
        shape: &Shape,
        mut answered: Answered,
    ) -> Result<Found, Trouble> {
        let found = Found {
            limit_seen: answered.limit_seen,
            crm_time: answered.crm_time,
            total: answered.total,
            ..Found::default()
        };
        let by_id = matches!(question, Question::ById(..));
        let answer = match std::mem::replace(&mut answered.reply, Reply::Nothing) {
            Reply::Body(answer) => answer,
            Reply::Nothing => return Ok(found),
            Reply::NotFound if by_id => return Ok(found),
            // A list that is not there is a wrong address, not an empty list.
            Reply::NotFound => return Err(Trouble::Refused),
        };
        if let (Question::Metadata(_), Some(metadata)) = (question, &self.line.profile.metadata) {
            return labels::read(&answer, metadata, shape)
                .map(|found| Found { limit_seen: answered.limit_seen, ..found });
        }
        // That there is an answer is all that a probe of its own wants to know.
        let Some(plan) = plan.filter(|_| !self.is_own_probe(question)) else { return Ok(found) };
        if by_id {
            let record = read_one(&answer, plan, shape, &self.line.watch, self.line.walls)?;
            if let Some(tombstone) = tombstone(question, record.as_ref()) {
                return Ok(Found { records: vec![tombstone], ..found });
            }
            if !answers(question, record.as_ref()) && self.line.walls.stands(Wall::Echo) {
                return Err(Trouble::OtherRecord);
            }
            let records = record.into_iter().map(|record| record.buried(self.line.walls)).collect();
            return Ok(Found { records, ..found });
        }
        let page = read_list(&answer, plan, shape, &self.line.watch, self.line.walls)?;
        let errand = self.line.errand(operation, shape);
        let next = page::next(&errand, question, &page, &answered)?;
        let cap = self.line.profile.paging_of(operation).cap.map(u64::from);
        let capped = next.as_ref().zip(cap).is_some_and(|(next, cap)| next.records_before() >= cap);
        let next_time = page::for_next_time(&errand, question, &page, &answered)?.filter(|_| next.is_none());
        let total = page.total.or(found.total);
        let records = page.records.into_iter().map(|record| record.buried(self.line.walls)).collect();
        Ok(Found { records, total, next: next.filter(|_| !capped), next_time, capped, ..found })
    }

    fn is_own_probe(&self, question: &Question) -> bool {
        matches!(question, Question::Probe) && self.line.profile.probe.is_some()
    }
}

/// Whether this is the record that was asked for. Only people are shown by their id; a company that is not the one that
/// a person names is left out where it is joined.
/// Asked for one that was merged, some CRMs answer with the one that stays. If it says so itself, that is a tombstone; of its
/// values nothing is taken.
fn tombstone(question: &Question, record: Option<&Record>) -> Option<Record> {
    let (Question::ById(Entity::Person, asked), Some(record)) = (question, record) else { return None };
    let into = record.id.as_ref().filter(|id| *id != asked && record.merged_from.contains(asked))?;
    Some(Record { id: Some(asked.clone()), merged_into: Some(into.clone()), ..Record::default() })
}

fn answers(question: &Question, record: Option<&Record>) -> bool {
    match (question, record) {
        (Question::ById(Entity::Person, id), Some(record)) => record.id.as_ref() == Some(id),
        _ => true,
    }
}
