//! `cidr:`, rules by network, cidr_table(5).

use std::net::IpAddr;
use std::sync::Arc;

use super::{Opening, TableType};
use crate::files::Watched;
use crate::network::Network;
use crate::rules::{Builder, Step, Text, first_word, keyword, negations};
use crate::source::shown;
use crate::{Hit, Lookup, Shape, Table};

/// The type.
pub const TYPE: TableType =
    TableType { name: "cidr", doc: "Networks, the first that holds the address decides.", open, make: None };

struct Test {
    network: Network,
    negated: bool,
}

struct Cidr {
    steps: Vec<Step<Test, Vec<u8>>>,
    name: String,
    watched: Vec<Watched>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Table>, String> {
    let text = Text::read(opening)?;
    let steps = Builder::new(opening).read(&text, |builder, line, number| {
        if let Err(why) = parse(builder, line, number) {
            builder.warn(number, &format!("{why}: skipping this rule"));
        }
    });
    Ok(Arc::new(Cidr { steps, name: opening.spec.name.clone(), watched: text.watched }))
}

fn parse(builder: &mut Builder<'_, Test, Vec<u8>>, line: &[u8], number: u32) -> Result<(), String> {
    if let Some(rest) = keyword(line, "endif") {
        if !rest.is_empty() {
            return Err("garbage after ENDIF".to_owned());
        }
        return if builder.end() { Ok(()) } else { Err("ENDIF without IF".to_owned()) };
    }
    if let Some(rest) = keyword(line, "if") {
        let (negated, pattern) = negations(rest);
        builder.begin(test(negated, pattern)?, number);
        return Ok(());
    }
    let (negated, rest) = negations(line);
    let (pattern, value) = first_word(rest);
    if value.is_empty() && !pattern.is_empty() {
        return Err("no lookup result".to_owned());
    }
    builder.rule(test(negated, pattern)?, value.to_vec(), number);
    Ok(())
}

fn test(negated: bool, pattern: &[u8]) -> Result<Test, String> {
    if pattern.is_empty() {
        return Err("no address pattern".to_owned());
    }
    Ok(Test { network: Network::parse(&shown(pattern))?, negated })
}

impl Cidr {
    fn find(&self, address: IpAddr) -> Option<Hit> {
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            let (Step::Rule { test, .. } | Step::If { test, .. }) = step;
            // A rule says nothing about addresses of the other family, also when it is negated.
            let holds = test.network.is_family_of(address) && test.network.contains(address) != test.negated;
            match step {
                Step::If { end, .. } if !holds => at = *end,
                Step::Rule { value, line, .. } if holds => {
                    return Some(Hit { value: value.clone(), line: Some(*line) });
                }
                _ => {}
            }
        }
        None
    }
}

impl Table for Cidr {
    fn lookup<'a>(&'a self, key: &'a [u8]) -> Lookup<'a> {
        let address = std::str::from_utf8(key).ok().and_then(|text| text.parse().ok());
        Lookup::Ready(Ok(address.and_then(|address| self.find(address))))
    }

    fn shape(&self) -> Shape {
        Shape::PATTERN
    }

    fn folds(&self) -> bool {
        false
    }

    fn source(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn watched(&self) -> &[Watched] {
        &self.watched
    }
}
