//! How a parameter is declared: once, by [`params!`](crate::params).

use crate::{Kind, Mistake, View};

/// What a parameter does in this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Does what Postfix's manual says.
    Honoured,
    /// Accepted without effect, for this reason.
    NoEffect(&'static str),
    /// Not supported, for this reason and with this remedy; an error when set.
    Refused(&'static str),
    /// Ours: Postfix has no such parameter.
    Own,
}

/// One parameter, or a family of them: a name with a hole, such as `<transport>_destination_rate_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Name, or pattern of a family with one `<hole>`.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Default as Postfix prints it, unexpanded.
    pub default: &'static str,
    /// What it is for; the first sentence stands alone in lists.
    pub doc: &'static str,
    /// Status.
    pub status: Status,
}

impl Declaration {
    /// Whether this declares a family instead of one name.
    pub fn is_family(&self) -> bool {
        self.name.contains('<')
    }

    /// Whether `name` belongs to this family: the hole stands for at least one character.
    pub fn covers(&self, name: &str) -> bool {
        let Some((head, tail)) = self.name.split_once('<') else { return self.name == name };
        let tail = tail.split_once('>').map_or("", |(_, tail)| tail);
        name.len() > head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
    }
}

/// A struct made by [`params!`](crate::params).
pub trait Block: Sized {
    /// Every declaration of the block, families and refused ones included.
    const DECLARATIONS: &'static [Declaration];

    /// Reads every field; a value that does not parse is collected and its default taken.
    fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Self;
}

/// Declares parameters: a doc comment, a name, a kind, the default as Postfix prints it, and rarely a status.
///
/// ```ignore
/// params! {
///     /// What the bounce daemon sends back, and how much of it.
///     pub struct Bounce {
///         /// How many bytes of the undelivered message go back with a notice.
///         bounce_size_limit: Bytes = "50000";
///         /// Time to wait for a lock.
///         lock_delay: Time = "1s", no_effect "one process needs no locks";
///         /// Concurrency of one transport.
///         family "<transport>_destination_concurrency_limit": Int = "$default_destination_concurrency_limit";
///     }
/// }
/// ```
///
/// From it come the struct (`bounce.bounce_size_limit: u64`), the table `Bounce::DECLARATIONS` and the reader
/// `Bounce::read`, which collects every mistake with file and line. `Int(1..=10)` has bounds, `Time(1..)` too
/// (in seconds), `Enum("a", "b")` its words. A row that says `own` is not Postfix's; one that says
/// `no_effect "why"` or `refused "why"` has a declaration but no field, and so has a family, which is read
/// with [`View::family`]; `family` also stands before the one name that is no Rust name,
/// `2bounce_notice_recipient`. `pub const NAMES { … }` in place of `pub struct` gives the declarations alone, for
/// names that another block is read under ([`View::under_names`]).
///
/// How it works: every row becomes a field, and a row that should have none carries a reason or a pattern, from
/// which the expansion makes `#[cfg(false)]` on its field. No row is taken apart one after another, so a block
/// may be long. The `@` rules below are the macro's own: type, kind and status of one row.
#[macro_export]
macro_rules! params {
    (@type Bytes) => { u64 };
    (@type Int) => { i64 };
    (@type Time) => { ::std::time::Duration };
    (@type YesNo) => { bool };
    (@type List) => { ::std::vec::Vec<::std::string::String> };
    (@type Path) => { ::std::path::PathBuf };
    (@type $text:ident) => { ::std::string::String };

    (@kind Int) => { $crate::Kind::Int { min: 0, max: i32::MAX as i64 } };
    (@kind Int ($min:literal ..= $max:literal)) => { $crate::Kind::Int { min: $min, max: $max } };
    (@kind Int ($min:literal ..)) => { $crate::Kind::Int { min: $min, max: i32::MAX as i64 } };
    (@kind Time) => { $crate::Kind::Time { min: 0, max: i32::MAX as u64 } };
    (@kind Time ($min:literal ..= $max:literal)) => { $crate::Kind::Time { min: $min, max: $max } };
    (@kind Time ($min:literal ..)) => { $crate::Kind::Time { min: $min, max: i32::MAX as u64 } };
    (@kind Enum ($($word:literal),+ $(,)?)) => { $crate::Kind::Enum(&[$($word),+]) };
    (@kind $plain:ident) => { $crate::Kind::$plain };

    (@status) => { $crate::Status::Honoured };
    (@status own) => { $crate::Status::Own };
    (@status no_effect $why:literal) => { $crate::Status::NoEffect($why) };
    (@status refused $why:literal) => { $crate::Status::Refused($why) };

    (@name $name:ident) => { stringify!($name) };
    (@name family $pattern:literal) => { $pattern };

    ($(#[doc = $about:literal])*
        $visibility:vis const $list:ident {
            $(
                $(#[doc = $doc:literal])*
                $name:ident : $kind:ident $(($($argument:tt)*))? = $default:literal
                $(, $status:ident $($why:literal)?)? ;
            )*
        }
    ) => {
        $(#[doc = $about])*
        $visibility const $list: &[$crate::Declaration] = &[$(
            $crate::Declaration {
                name: stringify!($name),
                kind: $crate::params!(@kind $kind $(($($argument)*))?),
                default: $default,
                doc: concat!($($doc, "\n"),*).trim_ascii(),
                status: $crate::params!(@status $($status $($why)?)?),
            },
        )*];
    };

    ($(
        $(#[doc = $about:literal])*
        $visibility:vis struct $block:ident {
            $(
                $(#[doc = $doc:literal])*
                $name:ident $($pattern:literal)? : $kind:ident $(($($argument:tt)*))? = $default:literal
                $(, $status:ident $($why:literal)?)? ;
            )*
        }
    )+) => { $(
        $(#[doc = $about])*
        #[derive(Clone, Debug)]
        #[allow(non_snake_case, reason = "a field is named as its parameter, such as smtp_tls_CAfile")]
        $visibility struct $block {
            $(
                $(#[cfg(false)] #[doc = $pattern])?
                $($(#[cfg(false)] #[doc = $why])?)?
                $(#[doc = $doc])*
                pub $name: $crate::params!(@type $kind),
            )*
        }

        impl $crate::Block for $block {
            const DECLARATIONS: &'static [$crate::Declaration] = &[$(
                $crate::Declaration {
                    name: $crate::params!(@name $name $($pattern)?),
                    kind: $crate::params!(@kind $kind $(($($argument)*))?),
                    default: $default,
                    doc: concat!($($doc, "\n"),*).trim_ascii(),
                    status: $crate::params!(@status $($status $($why)?)?),
                },
            )*];

            fn read(
                view: &$crate::View,
                mistakes: &mut ::std::vec::Vec<$crate::Mistake>,
            ) -> Self {
                let _ = (&view, &mistakes);
                Self { $(
                    $(#[cfg(false)] #[doc = $pattern])?
                    $($(#[cfg(false)] #[doc = $why])?)?
                    $name: $crate::Value::read(
                        view,
                        stringify!($name),
                        $crate::params!(@kind $kind $(($($argument)*))?),
                        $default,
                        mistakes,
                    ),
                )* }
            }
        }
    )+ };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, MainCf, Registry};
    use std::path::Path;
    use std::time::Duration;

    crate::params! {
        /// A block with one of everything.
        pub struct Sample {
            /// How many bytes.
            ///
            /// More prose.
            some_size: Bytes = "50000";
            /// Bounded.
            some_count: Int(1..=10) = "3";
            /// At least.
            some_floor: Int(1..) = "3";
            /// A time.
            some_time: Time = "3h";
            /// A time that is neither nothing nor more than ten days.
            some_days: Time(1..=864000) = "3d";
            /// A switch.
            some_switch: YesNo = "no", own;
            /// A list.
            some_list: List = "a, b c";
            /// A choice.
            some_choice: Enum("one", "two") = "one";
            /// A file.
            some_file: Path = "/etc/x";
            /// Not here.
            some_lock: Text = "x", no_effect "there are no locks";
            /// Not at all.
            some_library: Text = "x", refused "there is no such library; leave it out";
            /// Per transport.
            family "<transport>_some_limit": Int = "$some_count";
            /// Per user.
            family "<user>_other_limit": Int = "$some_count";
        }

        /// A second one, empty but for refusals.
        pub struct Nothing {
            /// Not at all.
            other_library: Text = "x", refused "there is no such library";
        }
    }

    crate::params! {
        /// Other names for some of the first block.
        pub const OTHER_NAMES {
            /// How many bytes.
            other_size: Bytes = "60000";
            /// A time.
            other_time: Time = "2m";
        }
    }

    fn view(text: &str) -> View {
        let (main, mistakes) = MainCf::parse(text, Path::new("main.cf"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        View::new(
            Registry::new(&[Sample::DECLARATIONS, Nothing::DECLARATIONS, OTHER_NAMES]),
            main,
            Facts::default(),
        )
    }

    #[test]
    fn defaults_are_read() {
        let mut mistakes = Vec::new();
        let sample = Sample::read(&view(""), &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(sample.some_size, 50000);
        assert_eq!((sample.some_count, sample.some_floor), (3, 3));
        assert_eq!(sample.some_time, Duration::from_secs(3 * 3600));
        assert_eq!(sample.some_list, ["a", "b", "c"]);
        assert_eq!(sample.some_choice, "one");
        assert!(!sample.some_switch);
        assert_eq!(sample.some_file, Path::new("/etc/x"));
    }

    #[test]
    fn every_mistake_is_collected_with_its_line() {
        let text =
            "some_size = 12abc\nsome_count = 11\nsome_time = 3x\nsome_switch = maybe\nsome_choice = three\n";
        let mut mistakes = Vec::new();
        let sample = Sample::read(&view(text), &mut mistakes);
        let mut lines: Vec<_> = mistakes.iter().map(|mistake| mistake.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
        assert_eq!((sample.some_size, sample.some_count), (50000, 3));
    }

    #[test]
    fn a_bare_number_takes_the_declared_unit() {
        let mut mistakes = Vec::new();
        let sample = Sample::read(&view("some_time = 2\nsome_days = 2\n"), &mut mistakes);
        assert_eq!(sample.some_time, Duration::from_secs(2 * 3600));
        assert_eq!(sample.some_days, Duration::from_secs(2 * 86400));
    }

    #[test]
    fn a_text_is_checked_without_a_field() {
        let view = view("");
        let check = |name, text| {
            let row = Sample::DECLARATIONS.iter().find(|row| row.name == name).expect("declared");
            row.check(&view, text)
        };
        for (name, good, bad) in [
            ("some_size", "5", "-5"),
            ("some_count", "10", "11"),
            ("some_time", "4", "4x"),
            ("some_days", "10", "0"),
            ("some_days", "1s", "11d"),
            ("some_switch", "YES", "true"),
            ("some_choice", "two", "three"),
            ("<transport>_some_limit", "0", "none"),
        ] {
            assert_eq!(check(name, good), Ok(()));
            assert!(check(name, bad).is_err_and(|wrong| wrong.contains(name)), "{name} = {bad}");
        }
    }

    #[test]
    fn a_block_is_read_under_other_names() {
        let view = view("other_time = 5\nsome_time = x\nother_size = y\nsome_count = 4\n");
        let view = view.under_names(&[("some_", "other_")]);
        let mut mistakes = Vec::new();
        let sample = Sample::read(&view, &mut mistakes);
        assert_eq!(sample.some_time, Duration::from_secs(300), "other_time, in its own unit");
        assert_eq!((sample.some_size, sample.some_count), (60000, 4), "its own default; no other name");
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        assert!(mistakes[0].text.contains("other_size"), "{mistakes:?}");
    }

    #[test]
    fn declarations_carry_doc_status_and_families() {
        let by_name = |name| Sample::DECLARATIONS.iter().find(|row| row.name == name).expect("declared");
        assert_eq!(by_name("some_size").doc, "How many bytes.\n\n More prose.");
        assert_eq!(by_name("some_switch").status, Status::Own);
        assert_eq!(by_name("some_lock").status, Status::NoEffect("there are no locks"));
        let family = by_name("<transport>_some_limit");
        assert!(family.is_family() && family.covers("smtp_some_limit") && !family.covers("_some_limit"));
        assert_eq!(Nothing::DECLARATIONS.len(), 1);
    }

    #[test]
    fn a_family_member_falls_back_to_the_default_named() {
        let view = view("some_count = 7\nslow_some_limit = 1\n");
        assert_eq!(view.family("slow_some_limit", "some_count"), "1");
        assert_eq!(view.family("smtp_some_limit", "some_count"), "7");
    }
}
