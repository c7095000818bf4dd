//! The kinds a parameter can have.

/// The kind of a parameter: how its text is read and checked, and which type its field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Expanded text.
    Text,
    /// Text kept as written: `$name` is for a later reader, or none.
    Raw,
    /// A number of bytes.
    Bytes,
    /// A whole number between two bounds, both allowed.
    Int {
        /// Least value allowed.
        min: i64,
        /// Greatest value allowed.
        max: i64,
    },
    /// A time with a unit `s m h d w`, between two bounds, both allowed. A number without a unit has that of the
    /// default.
    Time {
        /// Least time allowed, in seconds.
        min: u64,
        /// Longest time allowed, in seconds.
        max: u64,
    },
    /// `yes` or `no`.
    YesNo,
    /// Words between commas and white space; braces group.
    List,
    /// Look-up tables, `type:name`, between commas and white space. Checked text; `tables` opens it.
    Maps,
    /// Access restrictions. Checked text; `filter` opens it.
    Restrictions,
    /// A file or directory.
    Path,
    /// A regular expression.
    Regexp,
    /// One of a few words.
    Enum(&'static [&'static str]),
}
