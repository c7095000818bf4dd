//! The command line of postmulti(1).

use std::ffi::OsString;
use std::path::PathBuf;

use crate::commands::value;

const USAGE: &str = "usage: postmulti -l [-aR] [-g group] [-i name] | -p [-a] [-g group] [-i name] command... | \
-x [-aR] [-g group] [-i name] command... | \
-e init | create | import | deport | enable | disable | assign [-i name] [-I name] [-G group] [param=value ...]";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `-l`
    List,
    /// `-p`
    Postfix,
    /// `-x`
    Execute,
    /// `-e`
    Edit(Action),
}

/// What `-e` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes the primary instance manage others.
    Init,
    /// Makes a new instance.
    Create,
    /// Takes an instance that exists into the list.
    Import,
    /// Takes it out of the list.
    Deport,
    /// It is started with the others.
    Enable,
    /// It is not.
    Disable,
    /// Gives it another name or group.
    Assign,
}

/// The command line.
#[derive(Debug)]
pub struct Options {
    pub mode: Mode,
    /// `-c`, ours: the primary instance.
    pub config: Option<PathBuf>,
    pub all: bool,
    pub reverse: bool,
    /// `-i` and `-g`: which.
    pub name: Option<String>,
    pub group: Option<String>,
    /// `-I` and `-G`: what they are called from now on.
    pub new_name: Option<String>,
    pub new_group: Option<String>,
    /// A command, or `name=value`.
    pub words: Vec<String>,
}

/// Reads it.
pub fn parse(words: Vec<OsString>) -> Result<Options, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut mode = None;
    let mut options = Options {
        mode: Mode::List,
        config: None,
        all: false,
        reverse: false,
        name: None,
        group: None,
        new_name: None,
        new_group: None,
        words: Vec::new(),
    };
    while let Some(argument) = parser.next().map_err(|_| USAGE.to_owned())? {
        let new = match argument {
            lexopt::Arg::Short('l') => Some(Mode::List),
            lexopt::Arg::Short('p') => Some(Mode::Postfix),
            lexopt::Arg::Short('x') => Some(Mode::Execute),
            lexopt::Arg::Short('e') => Some(Mode::Edit(action(&text(&mut parser)?)?)),
            lexopt::Arg::Short('a') => {
                options.all = true;
                None
            }
            lexopt::Arg::Short('R') => {
                options.reverse = true;
                None
            }
            lexopt::Arg::Short('v') => None,
            lexopt::Arg::Short('c') => {
                options.config = Some(text(&mut parser)?.into());
                None
            }
            lexopt::Arg::Short(letter @ ('i' | 'g' | 'I' | 'G')) => {
                let value = Some(text(&mut parser)?);
                match letter {
                    'i' => options.name = value,
                    'g' => options.group = value,
                    'I' => options.new_name = value,
                    _ => options.new_group = value,
                }
                None
            }
            lexopt::Arg::Value(word) => {
                options.words.push(word.to_string_lossy().into_owned());
                let rest = parser.raw_args().map_err(|error| error.to_string())?;
                options.words.extend(rest.map(|word| word.to_string_lossy().into_owned()));
                None
            }
            _ => return Err(USAGE.to_owned()),
        };
        if new.is_some() && mode.is_some() {
            return Err("Specify exactly one of -e, -l, -p, or -x".to_owned());
        }
        mode = mode.or(new);
    }
    options.mode = mode.ok_or("Specify exactly one of -e, -l, -p, or -x")?;
    Ok(options)
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    value(parser).map(|value| value.to_string_lossy().into_owned()).map_err(|_| USAGE.to_owned())
}

fn action(word: &str) -> Result<Action, String> {
    Ok(match word {
        "init" => Action::Init,
        "create" => Action::Create,
        "import" => Action::Import,
        "deport" => Action::Deport,
        "enable" => Action::Enable,
        "disable" => Action::Disable,
        "assign" => Action::Assign,
        "destroy" => {
            return Err("-e destroy is not done here: 'deport' it, and remove its directories".to_owned());
        }
        other => {
            return Err(format!(
                "Invalid '-e' edit action '{other}'. Specify 'create', 'import', 'deport', 'assign', 'enable', 'disable' or 'init'"
            ));
        }
    })
}
