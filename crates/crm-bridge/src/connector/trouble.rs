//! Why the CRM could not be asked: a closed set, without a word of what the CRM said.

use super::projection::Unreadable;

macro_rules! troubles {
    ($($(#[$doc:meta])* $name:ident $word:literal $sentence:literal),+ $(,)?) => {
        /// Why the CRM could not be asked.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Trouble {$($(#[$doc])* $name),+}

        impl Trouble {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word in the problem's `reason`, in logs and metrics.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {$(Self::$name => $word),+}
            }

            /// What it means and what to do, for people.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self {$(Self::$name => $sentence),+}
            }
        }
    };
}

troubles! {
    /// No connection.
    Unreachable "unreachable"
        "The CRM does not accept connections. Ticket work goes on; ask again later.",
    /// The CRM's certificate is not for its name, has run out, or is from an unknown authority.
    Certificate "certificate"
        "The CRM's certificate can't be trusted: it is for another name, has run out, or is from an authority that is not known here. An administrator has to check crm.base_url, the CRM's certificate, and crm.ca_file if the company has an authority of its own.",
    /// A name that the CRM gave leads into the own network, or is not one that the profile allows.
    HostRefused "host_refused"
        "The CRM points to a host that may not be asked. If it is right, an administrator has to write it into crm.base_url or into the profile's [host].",
    /// No whole answer in time.
    Timeout "timeout"
        "The CRM did not answer in time. Ticket work goes on; ask again later.",
    /// The connection broke in the middle of the answer.
    Broken "broken"
        "The CRM broke off its answer. Ask again later.",
    /// Left alone for a while after failures.
    CircuitOpen "circuit_open"
        "The CRM has failed several times and is left alone for a while. Ask again later.",
    /// Too many requests of ours under way.
    Busy "busy"
        "Too many questions to the CRM are under way. Ask again in a moment.",
    /// The CRM says that we ask too much.
    RateLimited "rate_limited"
        "The CRM says that it is asked too often. Ask again later.",
    /// The CRM does not accept our key.
    Credentials "credentials"
        "The CRM does not accept the bridge's key. An administrator has to renew it.",
    /// The CRM says that our refresh token was used before or has run out.
    TokenSpent "token_spent"
        "The CRM does not know the bridge's refresh token any more: it was used before, by another program or a copy of the bridge, or has run out. An administrator has to authorise the bridge in the CRM again and put the new token into crm.secrets.",
    /// A token that changes with each use can't be kept.
    TokenNotKept "token_not_kept"
        "The CRM's tokens change with each use and can't be kept: the bridge's database can't be written, or this command runs without it. Nothing is asked until they can.",
    /// The CRM refused the request, as when a field is unknown there.
    Refused "refused"
        "The CRM refused the request, as when a field or a path is unknown there, or one field is hidden from the bridge's user. An administrator has to check with `crm-bridge profile test`.",
    /// The CRM reported an error of its own.
    ServerError "server_error"
        "The CRM reported an error of its own. Ask again later.",
    /// The answer is an error, although its status says that all is well.
    ErrorInside "error_inside"
        "The CRM answered with an error. An administrator has to check with `crm-bridge profile test`.",
    /// The CRM pointed to another address; redirects are not followed.
    Redirect "redirect"
        "The CRM points to another address, which is not followed. Check crm.base_url.",
    /// The next page is at an address that may not be asked.
    NextLink "next_link"
        "The CRM says that the next page is at an address that may not be asked. An administrator has to compare the CRM's links with [paging] and [host] of the profile.",
    /// The pages lead in a circle.
    PagingLoop "paging_loop"
        "The CRM's pages lead in a circle. An administrator has to check [paging] of the profile.",
    /// The answer is larger than allowed.
    TooLarge "too_large"
        "The CRM's answer is larger than the bridge reads.",
    /// The answer is nested more deeply than allowed.
    TooDeep "too_deep"
        "The CRM's answer is nested more deeply than the bridge reads.",
    /// The answer is empty where there should be something.
    Empty "empty"
        "The CRM answered with nothing. Ask again later.",
    /// The answer is not JSON in UTF-8.
    NotJson "not_json"
        "The CRM did not answer with JSON in UTF-8. Ask again later, or check crm.base_url.",
    /// The answer is JSON, but not as the profile says.
    UnexpectedShape "unexpected_shape"
        "The CRM's answer is not of the shape that its profile describes.",
    /// The answer is about another record than the one that was asked for.
    OtherRecord "other_record"
        "The CRM answered with another record than the one that was asked for.",
    /// Records are merged into each other without an end.
    MergeLoop "merge_loop"
        "The CRM says of several records that each was merged into the next, in a circle or without an end. Somebody has to put these records right in the CRM.",
    /// This CRM has no way to answer the question.
    NotOffered "not_offered"
        "This CRM can't be asked that; its profile has no such request.",
    /// The question has letters that may not stand in a request.
    Unaskable "unaskable"
        "The question has letters that may not stand in a request to this CRM.",
}

impl Trouble {
    /// Whether the next question would fare the same. A refused request or an unreadable record says nothing about
    /// others, so whoever can make one must not be able to keep the CRM from being asked.
    #[must_use]
    pub fn concerns_all(self) -> bool {
        !matches!(
            self,
            Self::Refused
                | Self::TooLarge
                | Self::TooDeep
                | Self::UnexpectedShape
                | Self::OtherRecord
                | Self::Unaskable
                | Self::NotOffered
                | Self::ErrorInside
                | Self::NextLink
                | Self::PagingLoop
                | Self::MergeLoop
                | Self::Busy
                | Self::CircuitOpen
        )
    }

    /// Whether asking for one record can end so although the CRM is well: it is hidden from the bridge's user, or broken.
    #[must_use]
    pub fn may_be_the_records(self) -> bool {
        matches!(
            self,
            Self::Credentials
                | Self::ServerError
                | Self::Timeout
                | Self::Broken
                | Self::Empty
                | Self::NotJson
                | Self::Redirect
        )
    }

    /// Whether the question never came to an answer, so that it says nothing of what was asked for.
    #[must_use]
    pub fn is_outage(self) -> bool {
        self.concerns_all() && !self.may_be_the_records() || matches!(self, Self::Busy | Self::CircuitOpen)
    }

    /// Whether the same request may fare better in a moment.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Timeout | Self::Broken | Self::ServerError | Self::Busy | Self::Empty
        )
    }
}

impl From<Unreadable> for Trouble {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Empty => Self::Empty,
            Unreadable::NotJson => Self::NotJson,
            Unreadable::TooDeep => Self::TooDeep,
            Unreadable::UnexpectedShape => Self::UnexpectedShape,
            Unreadable::ErrorInside { throttled: true } => Self::RateLimited,
            Unreadable::ErrorInside { throttled: false } => Self::ErrorInside,
        }
    }
}

/// A failed request: why, and for how long the CRM wants to be left alone.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Why.
    pub trouble: Trouble,
    /// For how long.
    pub pause_ms: Option<i64>,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        // A CRM that says so without a time gets one.
        let pause_ms = (trouble == Trouble::RateLimited).then_some(PAUSE_MS);
        Self { trouble, pause_ms }
    }
}

/// The pause for a CRM that asks for one without saying how long.
pub(super) const PAUSE_MS: i64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_has_a_word_and_a_sentence_of_its_own() {
        let words: std::collections::BTreeSet<&str> =
            Trouble::ALL.iter().map(|trouble| trouble.as_str()).collect();
        assert_eq!(words.len(), Trouble::ALL.len());
        assert!(Trouble::ALL.iter().all(|trouble| trouble.sentence().ends_with('.')));
    }
}
