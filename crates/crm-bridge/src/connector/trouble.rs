//! Why the CRM could not be asked: a closed set, without a word of what the CRM said.

use super::projection::Unreadable;

/// Why the CRM could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// No connection.
    Unreachable,
    /// No whole answer in time.
    Timeout,
    /// The connection broke in the middle of the answer.
    Broken,
    /// Left alone for a while after failures.
    CircuitOpen,
    /// Too many requests of ours under way.
    Busy,
    /// The CRM says that we ask too much.
    RateLimited,
    /// The CRM does not accept our key.
    Credentials,
    /// The CRM refused the request, as when a field is unknown there.
    Refused,
    /// The CRM reported an error of its own.
    ServerError,
    /// The CRM pointed to another address; redirects are not followed.
    Redirect,
    /// The answer is larger than allowed.
    TooLarge,
    /// The answer is nested more deeply than allowed.
    TooDeep,
    /// The answer is empty where there should be something.
    Empty,
    /// The answer is not JSON in UTF-8.
    NotJson,
    /// The answer is JSON, but not as the profile says.
    UnexpectedShape,
    /// This CRM has no way to answer the question.
    NotOffered,
    /// The question has letters that may not stand in a request.
    Unaskable,
    /// The answer is an error, although its status says that all is well.
    ErrorInside,
}

impl Trouble {
    /// The word in the problem's `reason`, in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::CircuitOpen => "circuit_open",
            Self::Busy => "busy",
            Self::RateLimited => "rate_limited",
            Self::Credentials => "credentials",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::Empty => "empty",
            Self::NotJson => "not_json",
            Self::UnexpectedShape => "unexpected_shape",
            Self::NotOffered => "not_offered",
            Self::Unaskable => "unaskable",
            Self::ErrorInside => "error_inside",
        }
    }

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
                | Self::Unaskable
                | Self::ErrorInside
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
