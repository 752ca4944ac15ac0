//! Asking when nobody waits.

use std::sync::Arc;

use super::ask::{Priority, Question};
use super::profile::Purpose;
use super::trouble::Trouble;
use super::{Connector, Found};
use crate::policy::Entity;

impl Connector {
    /// Asks for the sync: after everybody who waits at a screen.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn ask_in_background(&self, question: Question) -> Result<Arc<Found>, Trouble> {
        self.ask_as(question, Priority::Sync).await
    }

    /// The largest page of that entity.
    #[must_use]
    pub fn page_size(&self, entity: Entity) -> u16 {
        let profile = self.profile();
        profile
            .operation(Purpose::Page(entity))
            .map_or(profile.paging.size_max, |operation| profile.paging_of(operation).size_max)
    }
}
