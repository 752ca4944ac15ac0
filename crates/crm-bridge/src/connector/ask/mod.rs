//! Wall 1, *ask*: the only way to a request. It is made from an operation of the profile, the selection of the plan and
//! a [`Question`], of which there is a closed set and no free text.

mod mark;
mod names;
mod render;

use service_kit::{Personal, Secret, Timestamp};
use url::Url;
use zeroize::Zeroizing;

pub(super) use self::mark::Begin;
pub use self::mark::{MarkError, PageMark};
use self::names::Names;
pub(super) use self::render::{Fillings, Pen, Subscription, Ticket, Unaskable};
use super::profile::operation::{Body, Method};
use super::profile::template::Template;
use super::profile::{Operation, Profile, Purpose};
use crate::policy::Entity;
use crate::walls::Walls;

/// What the CRM can be asked. A filter on anything else would let the asker guess hidden fields.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// People with this mail address (normalised).
    ByEmail(Personal<String>),
    /// People with this phone number (normalised).
    ByPhone(Personal<String>),
    /// The person or company with this id, which a former answer of the CRM gave.
    ById(Entity, String),
    /// Any records, so many from there on; for `policy dry-run` and the first sync, never for an operator.
    Page {
        /// Of which kind.
        entity: Entity,
        /// Records a page, at most what the CRM allows.
        size: u16,
        /// Where the page before ended; from the beginning if none.
        mark: Option<PageMark>,
    },
    /// Records changed since; the overlap of the profile is the asker's to subtract.
    Changed {
        /// Of which kind.
        entity: Entity,
        /// From then on.
        since: Timestamp,
        /// Records a page.
        size: u16,
        /// Where the page before ended.
        mark: Option<PageMark>,
    },
    /// Ids of people deleted since.
    Gone {
        /// From then on.
        since: Timestamp,
        /// Where the page before ended.
        mark: Option<PageMark>,
    },
    /// Records of a child feed changed since; the answer names their parents.
    Children {
        /// Position of the feed in the profile.
        feed: usize,
        /// From then on.
        since: Timestamp,
        /// Where the page before ended.
        mark: Option<PageMark>,
    },
    /// Whether all is well.
    Probe,
    /// Names and labels of the CRM's fields.
    Metadata(Entity),
}

/// Who waits for the answer. People come first: the CRM's limits are shared by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A person at a screen.
    LookUp,
    /// Nobody; it may wait, and be tried again.
    Sync,
}

/// Candidates asked for of one address: enough to know that there are too many.
pub(crate) const CANDIDATES_ASKED: u16 = 20;

impl Question {
    /// The purpose of the operation that answers it.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::ByEmail(_) => Purpose::ByEmail,
            Self::ByPhone(_) => Purpose::ByPhone,
            Self::ById(entity, _) => Purpose::One(*entity),
            Self::Page { entity, .. } => Purpose::Page(*entity),
            Self::Changed { entity, .. } => Purpose::Changed(*entity),
            Self::Gone { .. } => Purpose::Gone,
            Self::Children { feed, .. } => Purpose::Child(*feed),
            Self::Probe => Purpose::Probe,
            Self::Metadata(entity) => Purpose::Metadata(*entity),
        }
    }

    /// From when on, if it is about changes.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Self::Changed { since, .. } | Self::Gone { since, .. } | Self::Children { since, .. } => {
                Some(*since)
            }
            _ => None,
        }
    }

    /// Where the page begins, if it is not the first.
    #[must_use]
    pub fn mark(&self) -> Option<&PageMark> {
        match self {
            Self::Page { mark, .. }
            | Self::Changed { mark, .. }
            | Self::Gone { mark, .. }
            | Self::Children { mark, .. } => mark.as_ref(),
            _ => None,
        }
    }

    /// Whether an answer may have a page after it.
    pub(super) fn is_paged(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Changed { .. } | Self::Gone { .. } | Self::Children { .. })
    }

    /// Records a page, as the CRM allows them.
    pub(super) fn size(&self, profile: &Profile, operation: &Operation) -> u16 {
        let size_max = profile.paging_of(operation).size_max;
        match self {
            Self::Page { size, .. } | Self::Changed { size, .. } => (*size).clamp(1, size_max),
            Self::ByEmail(_) | Self::ByPhone(_) => CANDIDATES_ASKED.min(size_max),
            Self::Probe => 1,
            _ => size_max,
        }
    }
}

/// A request that may be sent. Its parts are private: nobody outside this module can make or change one.
pub struct Request {
    pub(super) method: Method,
    pub(super) path: Vec<Zeroizing<String>>,
    pub(super) query: Vec<(String, Zeroizing<String>)>,
    pub(super) headers: Vec<(String, Zeroizing<String>)>,
    pub(super) body: Option<Payload>,
    /// The whole address, where the CRM named it and it was found to be one that may be asked.
    pub(super) link: Option<Url>,
}

/// What is posted.
pub(super) enum Payload {
    /// JSON.
    Json(Zeroizing<String>),
    /// A form, not yet encoded.
    Form(Vec<(String, Zeroizing<String>)>),
}

/// What all requests of one connector have in common.
pub(super) struct Asker<'a> {
    pub(super) profile: &'a Profile,
    pub(super) fillings: &'a Fillings,
    pub(super) walls: Walls,
}

impl Asker<'_> {
    /// The request for a question.
    ///
    /// # Errors
    /// [`Unaskable`], if a value can't stand where it must.
    pub(super) fn request(
        &self,
        question: &Question,
        operation: &Operation,
        selection: &[Vec<String>],
        token: Option<&Secret>,
    ) -> Result<Request, Unaskable> {
        let mut fillings = Fillings { token: token.cloned(), ..self.fillings.clone() };
        let names = Names::new(&self.profile.select, selection, self.profile, self.walls);
        let size = question.size(self.profile, operation);
        match question {
            Question::ByEmail(address) => fillings.value = Some(Zeroizing::new(address.expose().clone())),
            Question::ByPhone(number) => fillings.value = Some(Zeroizing::new(number.expose().clone())),
            Question::ById(_, id) => fillings.id = Some(Zeroizing::new(id.clone())),
            _ => {}
        }
        if let Some(since) = question.since() {
            fillings.since = Some(fillings.times.write_since(since).ok_or(Unaskable)?);
        }
        let begin = match question.mark() {
            Some(mark) => mark.begin(question).ok_or(Unaskable)?.clone(),
            None => Begin::first(self.profile.paging_of(operation)),
        };
        fillings.page(&begin, size);
        let mut request = self.render(operation, &fillings, Some(&names))?;
        if let Begin::Link(link) = &begin {
            request.link = Some(Url::parse(link).map_err(|_| Unaskable)?);
        }
        Ok(request)
    }

    /// A request that asks for no records: a log-in or an activity.
    ///
    /// # Errors
    /// [`Unaskable`].
    pub(super) fn other(
        &self,
        operation: &Operation,
        ticket: Option<Ticket>,
        token: Option<&Secret>,
    ) -> Result<Request, Unaskable> {
        let fillings = Fillings { ticket, token: token.cloned(), ..self.fillings.clone() };
        self.render(operation, &fillings, None)
    }

    fn render(
        &self,
        operation: &Operation,
        fillings: &Fillings,
        names: Option<&Names>,
    ) -> Result<Request, Unaskable> {
        let pen = render::Pen { fillings, names, walls: self.walls };
        let mut path = Vec::with_capacity(operation.path.segments().len());
        for segment in operation.path.segments() {
            path.push(pen.segment(segment)?);
        }
        let body = match &operation.body {
            None => None,
            Some(Body::Json(tree)) => Some(Payload::Json(pen.json(tree)?.ok_or(Unaskable)?)),
            Some(Body::Form(form)) => Some(Payload::Form(pen.parameters(form)?)),
        };
        Ok(Request {
            method: operation.method,
            path,
            query: pen.parameters(&operation.query)?,
            headers: pen.headers(&operation.headers)?,
            body,
            link: None,
        })
    }
}

/// A text that has holes for settings only.
pub(super) fn setting_text(fillings: &Fillings, template: &Template) -> Option<String> {
    render::Pen::plain(fillings).text(template).ok()?.map(|text| text.to_string())
}

#[cfg(test)]
mod tests;
