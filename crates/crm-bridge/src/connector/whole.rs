//! An answer with what belongs to it: records behind ids, and companies.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::ask::{Priority, Question};
use super::profile::Purpose;
use super::profile::operation::Gives;
use super::projection::{Plan, Record};
use super::trouble::Trouble;
use super::{Connector, Found};
use crate::policy::Entity;
use crate::policy::value::RawScalar;

/// Candidates whose companies are asked for, one after the other.
const COMPANIES_MAX: usize = 20;

impl Connector {
    /// The answer with what belongs to it: records behind ids, and for people who wait the companies.
    pub(super) fn whole<'a>(
        &'a self,
        question: &'a Question,
        priority: Priority,
    ) -> BoxFuture<'a, Result<Found, Trouble>> {
        async move {
            let mut found = self.0.tried(question, priority).await?;
            let purpose = question.purpose();
            let gives =
                self.0.line.profile.operation(purpose).map(|operation| operation.gives).unwrap_or_default();
            if gives == Gives::Ids {
                found.records = self.behind_ids(found.records, priority).await?;
            } else if priority == Priority::LookUp
                && matches!(purpose, Purpose::ByEmail | Purpose::ByPhone | Purpose::One(Entity::Person))
                && self.0.line.profile.linked_company().is_some()
            {
                self.add_companies(&mut found.records, priority).await;
            }
            Ok(found)
        }
        .boxed()
    }

    async fn behind_ids(&self, ids: Vec<Record>, priority: Priority) -> Result<Vec<Record>, Trouble> {
        let mut records = Vec::with_capacity(ids.len());
        for id in ids.into_iter().filter_map(|record| record.id) {
            let one = match self.ask_as(Question::ById(Entity::Person, id.clone()), priority).await {
                Err(Trouble::OtherRecord) => continue,
                one => one?,
            };
            // A CRM that answers with somebody else is not to be believed.
            records.extend(one.records.iter().find(|record| record.id.as_ref() == Some(&id)).cloned());
        }
        Ok(records)
    }

    /// Joins the companies to their people. One that can't be read takes nobody's card along: its fields count as not sent.
    async fn add_companies(&self, records: &mut [Record], priority: Priority) {
        let mut is_away = false;
        for record in records.iter_mut().take(COMPANIES_MAX) {
            let Some(id) = record.company_id.clone() else { continue };
            if is_away {
                self.without_company(record);
                continue;
            }
            match self.ask_as(Question::ById(Entity::Company, id.clone()), priority).await {
                Ok(company) => {
                    let own = company.records.iter().find(|company| company.id.as_ref() == Some(&id));
                    let Some(own) = own else { continue };
                    record.values.extend(own.values.iter().cloned());
                    record.not_sent.extend(own.not_sent.iter().copied());
                }
                Err(trouble) => {
                    tracing::warn!(
                        crm.reason = trouble.as_str(),
                        "a customer's company could not be read; the card goes without it"
                    );
                    // What hides one company says nothing of the next one.
                    is_away = trouble.concerns_all() && trouble != Trouble::Credentials;
                    self.without_company(record);
                }
            }
        }
    }

    fn without_company(&self, record: &mut Record) {
        let purpose = Purpose::One(Entity::Company);
        let operation = self.0.line.profile.operation(purpose);
        let plan = operation.and_then(|operation| self.0.plans.of(purpose, operation));
        for position in plan.map(Plan::fields).unwrap_or_default() {
            record.values.push((position, RawScalar::Null));
            record.not_sent.push(position);
        }
    }
}
