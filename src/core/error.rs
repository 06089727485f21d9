//! Kinds of errors, by what helps against them.

/// What kind of error it is, which decides when to try again and whether a person must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Somebody else wrote first: observe again.
    Conflict,
    /// The API server cannot answer now.
    Transient,
    /// A quota is used up.
    Quota,
    /// The operator may not do it.
    Forbidden,
    /// The object of that name belongs to somebody else.
    Foreign,
    /// It can never work.
    Invalid,
}

impl ErrorClass {
    /// The class in one word, for conditions, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Conflict => "Conflict",
            ErrorClass::Transient => "Transient",
            ErrorClass::Quota => "QuotaExceeded",
            ErrorClass::Forbidden => "Forbidden",
            ErrorClass::Foreign => "NameTaken",
            ErrorClass::Invalid => "Invalid",
        }
    }

    /// Whether it goes away by itself, so that nobody has to be told.
    pub const fn passes(self) -> bool {
        matches!(self, ErrorClass::Conflict | ErrorClass::Transient)
    }
}
