//! A DNS for tests: texts by name.

use net::dns::{Answer, Data, Kind, Missing};

use crate::outside::{Boxed, Dns};

/// Texts by name.
pub struct Names(Vec<(String, String)>);

impl Names {
    pub fn new(texts: &[(&str, &str)]) -> Names {
        Names(texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }
}

impl Dns for Names {
    fn lookup<'a>(&'a self, name: &'a str, kind: Kind) -> Boxed<'a, Result<Answer, Missing>> {
        let texts = self.0.iter().filter(|(known, _)| known == name);
        let records: Vec<Data> = texts.map(|(_, text)| Data::Txt(text.clone())).collect();
        let answer = match (records.is_empty(), kind) {
            (true, _) => Err(Missing::NoSuchName),
            (false, Kind::Txt) => Ok(Answer { name: name.to_owned(), records, ttl: 60, authentic: false }),
            (false, _) => Err(Missing::NoSuchRecord),
        };
        Box::pin(async move { answer })
    }
}
