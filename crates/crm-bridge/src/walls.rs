//! Which of the five walls stand. In every program that ships the answer is "all", and it is a constant: the switch
//! below exists only in a test build with the feature `sabotage`, so that the walls' own tests can be seen to go red.

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("the feature `sabotage` takes walls away and must never be in an optimised build");

/// The state of the five walls (DESIGN §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    #[cfg(feature = "sabotage")]
    down: Sabotage,
}

/// The walls that a test takes away.
#[cfg(feature = "sabotage")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sabotage {
    /// Ask for everything, follow redirects.
    pub ask: bool,
    /// Build the whole answer and pass it on.
    pub parse: bool,
    /// Take every value as a text.
    pub r#type: bool,
    /// Show everybody everything.
    pub who: bool,
    /// Keep cards in the clear and keep those of erased customers.
    pub keep: bool,
}

macro_rules! stands {
    ($($method:ident $wall:ident $doc:literal),+ $(,)?) => {
        impl Walls {$(
            #[doc = $doc]
            #[must_use]
            #[inline]
            pub fn $method(self) -> bool {
                #[cfg(feature = "sabotage")]
                return !self.down.$wall;
                #[cfg(not(feature = "sabotage"))]
                true
            }
        )+}
    };
}

stands! {
    ask_stands ask "Wall 1: only listed fields of enumerated endpoints are asked for.",
    parse_stands parse "Wall 2: only listed members are built.",
    type_stands r#type "Wall 3: only values of their type pass.",
    who_stands who "Wall 4: each role sees its own view, on a grant.",
    keep_stands keep "Wall 5: cards are kept encrypted and go when the customer goes.",
}

impl Walls {
    /// All five.
    #[must_use]
    pub fn standing() -> Self {
        Self {
            #[cfg(feature = "sabotage")]
            down: Sabotage::default(),
        }
    }

    /// All but those.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn without(down: Sabotage) -> Self {
        Self { down }
    }
}
